"""Directories of pictures, and what is done to their pixels."""

from __future__ import annotations

import numpy as np
import pytest

from tests.data_sets.helpers import labels, png, read, signature, write_picture
from tfpare.data.open import open_data
from tfpare.data.types import DataError, DataOptions, SkipLog

PICTURES = signature(x=("float32", (None, 6, 5, 3)))


@pytest.fixture
def folders(tmp_path):
    """Two classes; the colour of a picture tells its class and number."""
    for name, start in (("cat", 10), ("dog", 100)):
        for k in range(5):
            write_picture(tmp_path / "pets" / name / f"{k}.png", start + k)
    (tmp_path / "pets" / "notes.txt").write_text("no picture")
    return tmp_path / "pets"


def test_class_folders(folders):
    batches = read(folders, PICTURES)
    for batch in batches:
        assert ((batch.feeds["x"][:, 0, 0, 0] >= 100) == (batch.labels == 1)).all()
    assert sorted(labels(batches)) == [0] * 5 + [1] * 5
    assert batches[0].names[0].startswith(str(folders))
    assert "10 pictures in 2 class folders" in open_data(folders, PICTURES).description


def test_the_order_is_mixed_and_always_the_same(folders):
    first = labels(read(folders, PICTURES))
    assert first == labels(read(folders, PICTURES))
    assert first != sorted(first)
    assert len(set(labels(read(folders, PICTURES, limit=6)))) == 2


def test_folders_named_by_numbers_are_these_labels(tmp_path):
    for name in ("2", "10"):
        write_picture(tmp_path / name / "a.png", 1)
    assert sorted(labels(read(tmp_path, PICTURES))) == [2, 10]


def test_classes_number_the_folders(folders):
    assert sorted(labels(read(folders, PICTURES, classes=("bird", "dog", "cat")))) == [1] * 5 + [2] * 5
    with pytest.raises(DataError, match="none of the 1 classes"):
        read(folders, PICTURES, classes=("cat",))


def test_without_folders_there_are_no_labels(tmp_path):
    write_picture(tmp_path / "a.png", 1)
    assert read(tmp_path, PICTURES)[0].labels is None
    with pytest.raises(DataError, match=r"a.png: there is no label"):
        read(tmp_path, PICTURES, need_labels=True)


def test_resize_is_that_of_tensorflow(tmp_path):
    import tensorflow as tf

    pixels = np.random.default_rng(0).integers(0, 256, (40, 30, 3)).astype(np.uint8)
    (tmp_path / "a.png").write_bytes(png(pixels))
    spec = signature(x=("float32", (None, 6, 5, 3)))
    for method in ("bilinear", "area", "nearest"):
        got = read(tmp_path, spec, resize=(6, 5), resize_method=method)[0].feeds["x"][0]
        np.testing.assert_array_equal(got, tf.image.resize(pixels, (6, 5), method=method).numpy().astype(np.float32))
    got = read(tmp_path, spec, resize=(6, 5), resize_method="bilinear-v1")[0].feeds["x"][0]
    np.testing.assert_array_equal(got, tf.compat.v1.image.resize_bilinear(pixels[None], (6, 5)).numpy()[0])
    got = read(tmp_path, spec, resize=(6, 5), central_crop=0.875)[0].feeds["x"][0]
    np.testing.assert_array_equal(got, tf.image.resize(tf.image.central_crop(pixels, 0.875), (6, 5)).numpy())


def test_scale_mean_std_and_order(tmp_path):
    pixels = np.zeros((6, 5, 3), np.uint8)
    pixels[:, :, 0], pixels[:, :, 2] = 255, 51
    (tmp_path / "a.png").write_bytes(png(pixels))
    options = {"scale": 1 / 255, "mean": (0.1, 0.2, 0.3), "std": (2.0, 1.0, 0.5), "channel_order": "BGR"}
    batch = read(tmp_path, PICTURES, **options)[0].feeds["x"]
    np.testing.assert_allclose(batch[0, 0, 0], [(0.2 - 0.1) / 2, -0.2, (1 - 0.3) / 0.5], rtol=1e-6)
    words = open_data(tmp_path, PICTURES, DataOptions(**options)).description
    assert "BGR, times 0.00392157, minus 0.1/0.2/0.3, divided by 2/1/0.5" in words


def test_layouts(tmp_path):
    write_picture(tmp_path / "a.png", 7)
    assert read(tmp_path, signature(x=("float32", (None, 3, 6, 5))))[0].feeds["x"].shape == (1, 3, 6, 5)
    unknown = signature(x=("float32", None))
    assert read(tmp_path, unknown)[0].feeds["x"].shape == (1, 6, 5, 3)
    assert read(tmp_path, unknown, layout="NCHW")[0].feeds["x"].shape == (1, 3, 6, 5)


def test_grey_inputs_and_uint8(tmp_path):
    write_picture(tmp_path / "a.png", 7, size=(12, 10))
    batch = read(tmp_path, signature(x=("uint8", (None, 6, 5, 1))), resize=(6, 5))[0]
    assert batch.feeds["x"].shape == (1, 6, 5, 1)
    assert batch.feeds["x"].dtype == np.uint8
    assert (batch.feeds["x"] == 7).all()


def test_models_that_decode_get_the_files(tmp_path):
    write_picture(tmp_path / "a.png", 7)
    batch = read(tmp_path, signature(x=("string", (None,), "image")))[0]
    assert batch.feeds["x"].tolist() == [(tmp_path / "a.png").read_bytes()]


def test_arrays_of_pictures(tmp_path):
    """The same preprocessing for `.npz`: channels are added or moved, sizes changed."""
    grey = np.full((2, 12, 10), 255, np.uint8)
    np.savez(tmp_path / "a.npz", x=grey)
    got = read(tmp_path / "a.npz", signature(x=("float32", (None, 6, 5, 1))), resize=(6, 5), scale=1 / 255)
    assert got[0].feeds["x"].shape == (2, 6, 5, 1)
    assert (got[0].feeds["x"] == 1).all()
    channels_first = np.zeros((2, 3, 6, 5), np.float32)
    channels_first[:, 0] = 9
    np.savez(tmp_path / "b.npz", x=channels_first)
    got = read(tmp_path / "b.npz", signature(x=("float32", (None, 3, 6, 5))), channel_order="BGR")
    assert (got[0].feeds["x"][:, 2] == 9).all()


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"", "cannot be decoded"), (b"\x89PNG\r\n\x1a\nnonsense", "cannot be decoded"), (None, "--resize HxW")],
)
def test_a_bad_picture_is_named_or_skipped(folders, content, says):
    bad = folders / "cat" / "bad.png"
    if content is None:
        write_picture(bad, 3, size=(7, 7))
    else:
        bad.write_bytes(content)
    with pytest.raises(DataError, match=rf"bad\.png: .*{says}.*--skip-bad N"):
        read(folders, PICTURES)
    log = SkipLog(1)
    assert len(labels(read(folders, PICTURES, skipped=log))) == 10
    assert len(log.messages) == 1
    assert "bad.png" in log.messages[0]
    (folders / "dog" / "worse.png").write_bytes(b"x")
    with pytest.raises(DataError, match="More than 1 samples cannot be used"):
        read(folders, PICTURES, skip_bad=1)


def test_pictures_of_several_sizes_make_no_batch(tmp_path):
    spec = signature(x=("float32", (None, None, None, 3)))
    write_picture(tmp_path / "a.png", 1)
    write_picture(tmp_path / "b.png", 1, size=(8, 8))
    with pytest.raises(DataError, match=r"a batch needs one shape. For pictures give --resize HxW"):
        read(tmp_path, spec)
    assert len(read(tmp_path, spec, batch_size=1)) == 2


def test_directories_that_are_no_data_set(tmp_path, folders):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="There is no picture"):
        read(tmp_path / "empty", PICTURES)
    write_picture(folders / "loose.png", 1)
    with pytest.raises(DataError, match="both pictures"):
        read(folders, PICTURES)
    with pytest.raises(DataError, match="There is no data set"):
        read(tmp_path / "nothing", PICTURES)
    (tmp_path / "data.bin").write_bytes(b"")
    with pytest.raises(DataError, match="does not follow from its name"):
        read(tmp_path / "data.bin", PICTURES)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"mean": (1.0, 2.0)}, "--mean has 2 numbers"),
        ({"std": (0.0,)}, "may not be 0"),
        ({"resize_method": "cubic"}, "no resize method"),
        ({"central_crop": 1.5}, "at most 1"),
        ({"channel_order": "RBG"}, "RGB or BGR"),
        ({"layout": "HWC"}, "NHWC or NCHW"),
    ],
)
def test_refuses_options(folders, options, says):
    with pytest.raises(DataError, match=says):
        read(folders, PICTURES, **options)
