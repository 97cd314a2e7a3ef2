"""TFRecords: serialized, parsed, ImageNet's layout, damage."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from tests.data_sets.helpers import labels, png, read, signature
from tfpare.data.types import DataError, SkipLog
from tfpare.io.examples import serialize
from tfpare.io.records import write

PICTURES = signature(x=("float32", (None, 6, 5, 3)))


def strings(*values: bytes) -> np.ndarray:
    return np.array([*values, None], object)[:-1]


def imagenet(path: Path, values: list[int]) -> Path:
    write(
        path,
        [
            serialize(
                {
                    "image/encoded": strings(png(np.full((6, 5, 3), v, np.uint8))),
                    "image/height": np.array([6]),
                    "image/class/label": np.array([v]),
                    "image/class/text": strings(b"name"),
                }
            )
            for v in values
        ],
    )
    return path


def test_imagenet_layout(tmp_path):
    batches = read(imagenet(tmp_path / "a.tfrecord", [3, 1, 2]), PICTURES, label_offset=1)
    assert labels(batches) == [4, 2, 3]
    assert batches[0].feeds["x"][:, 0, 0, 0].tolist() == [3, 1, 2]
    assert batches[0].names == ("a.tfrecord record 0", "a.tfrecord record 1", "a.tfrecord record 2")
    raw = read(tmp_path / "a.tfrecord", signature(x=("string", (None,), "image")))[0].feeds["x"]
    assert raw[0].startswith(b"\x89PNG")


def test_directories_and_patterns(tmp_path):
    imagenet(tmp_path / "train-00000-of-00002", [1])
    imagenet(tmp_path / "train-00001-of-00002", [2])
    assert labels(read(tmp_path, PICTURES)) == [1, 2]
    assert labels(read(f"{tmp_path}/train-*", PICTURES)) == [1, 2]
    assert labels(read(f"{tmp_path}/train-00001-*", PICTURES)) == [2]


def test_gzip(tmp_path):
    plain = imagenet(tmp_path / "a.tfrecord", [5, 6]).read_bytes()
    (tmp_path / "a.tfrecord").write_bytes(gzip.compress(plain))
    assert labels(read(tmp_path / "a.tfrecord", PICTURES)) == [5, 6]


def test_serialized_examples_keep_every_byte(tmp_path):
    examples = [serialize({"body": strings(b"hello"), "label": np.array([k])}) for k in (1, 0)]
    write(tmp_path / "a.tfrecord", examples)
    batch = read(tmp_path / "a.tfrecord", signature(inputs=("string", (None,), "example")))[0]
    assert batch.feeds["inputs"].tolist() == examples
    assert batch.labels.tolist() == [1, 0]
    batch = read(tmp_path / "a.tfrecord", signature(x=("string", (None,))), records="serialized")[0]
    assert batch.feeds["x"].tolist() == examples


def test_parsed_features_take_the_inputs_shapes(tmp_path):
    write(
        tmp_path / "a.tfrecord",
        [
            serialize({"m": np.arange(6.0), "ids": np.array([4]), "word": strings(b"w"), "y": np.array([0.5])})
            for _ in range(2)
        ],
    )
    spec = signature(
        m=("float32", (None, 2, 3)), ids=("int32", (None,)), word=("string", (None,)), all=("string", (None, 1))
    )
    batch = read(tmp_path / "a.tfrecord", spec, rename={"all": "word"})[0]
    np.testing.assert_array_equal(batch.feeds["m"][1], [[0, 1, 2], [3, 4, 5]])
    assert batch.feeds["ids"].dtype == np.int32
    assert batch.feeds["ids"].tolist() == [4, 4]
    assert batch.feeds["word"].tolist() == [b"w", b"w"]
    assert batch.feeds["all"].tolist() == [[b"w"], [b"w"]]
    assert batch.labels.tolist() == [0.5, 0.5]


def test_raw_bytes_are_numbers(tmp_path):
    """`image_raw`, as in TensorFlow's MNIST example."""
    pixels = np.arange(90, dtype=np.uint8)
    write(tmp_path / "a.tfrecord", [serialize({"image_raw": strings(pixels.tobytes()), "label": np.array([1])})])
    batch = read(tmp_path / "a.tfrecord", PICTURES, scale=0.5)[0]
    np.testing.assert_array_equal(batch.feeds["x"][0].ravel(), pixels * 0.5)
    floats = np.float32([1.5, 2, 3])
    write(tmp_path / "b.tfrecord", [serialize({"x": strings(floats.tobytes())})])
    np.testing.assert_array_equal(
        read(tmp_path / "b.tfrecord", signature(x=("float32", (None, 3))))[0].feeds["x"][0], floats
    )


def test_a_bad_record_is_named_or_skipped(tmp_path):
    good = serialize({"x": np.float32([1, 2, 3]), "label": np.array([1])})
    bad = {
        "no tf.Example": b"\xff\xff\xff",
        "there is no 'x'": serialize({"other": np.float32([1]), "third": np.array([2]), "label": np.array([1])}),
        "has the shape": serialize({"x": np.float32([1, 2]), "label": np.array([1])}),
        "holds NaN": serialize({"x": np.float32([1, 2, np.nan]), "label": np.array([1])}),
        "no label": serialize({"x": np.float32([1, 2, 3])}),
    }
    spec = signature(x=("float32", (None, 3)))
    for says, record in bad.items():
        write(tmp_path / "a.tfrecord", [good, record, good])
        with pytest.raises(DataError, match=rf"a.tfrecord record 1: .*{says}"):
            read(tmp_path / "a.tfrecord", spec, need_labels=True)
    write(tmp_path / "a.tfrecord", [good, *bad.values(), good])
    log = SkipLog(5)
    assert labels(read(tmp_path / "a.tfrecord", spec, need_labels=True, skipped=log)) == [1, 1]
    assert len(log.messages) == 5


def test_damaged_files(tmp_path):
    whole = imagenet(tmp_path / "a.tfrecord", [1, 2]).read_bytes()
    (tmp_path / "a.tfrecord").write_bytes(whole[:-10])
    with pytest.raises(DataError, match=r"a.tfrecord breaks off at record 1"):
        read(tmp_path / "a.tfrecord", PICTURES)
    (tmp_path / "a.tfrecord").write_bytes(b"")
    with pytest.raises(DataError, match="There is no sample"):
        read(tmp_path / "a.tfrecord", PICTURES)


def test_refuses_options(tmp_path):
    imagenet(tmp_path / "a.tfrecord", [1])
    with pytest.raises(DataError, match="auto, serialized or parsed"):
        read(tmp_path / "a.tfrecord", PICTURES, records="images")
    with pytest.raises(DataError, match="one input takes strings"):
        read(tmp_path / "a.tfrecord", PICTURES, records="serialized")
