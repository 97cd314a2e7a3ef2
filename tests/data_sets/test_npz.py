"""`.npz` data sets: names, dtypes, shapes, shards, damage."""

from __future__ import annotations

import numpy as np
import pytest

from tests.data_sets.helpers import labels, read, signature
from tfpare.data.npz import _CHUNK_BYTES
from tfpare.data.open import open_data
from tfpare.data.types import DataError, DataOptions

X = signature(x=("float32", (None, 3)))


@pytest.fixture
def ten(tmp_path):
    path = tmp_path / "ten.npz"
    np.savez(path, x=np.arange(30, dtype=np.float32).reshape(10, 3), label=np.arange(10))
    return path


def test_rows_come_in_order_with_labels(ten):
    batches = read(ten, X)
    assert [len(b) for b in batches] == [4, 4, 2]
    assert labels(batches) == list(range(10))
    np.testing.assert_array_equal(batches[2].feeds["x"], np.arange(24, 30, dtype=np.float32).reshape(2, 3))
    assert batches[1].names[0] == "ten.npz row 4"
    assert open_data(ten, X).size == 10


@pytest.mark.parametrize("shards", [1, 2, 3, 7])
def test_shards_are_the_same_batches(ten, shards):
    data = open_data(ten, X)
    together = sorted((b for k in range(shards) for b in data.batches(4, (k, shards))), key=lambda b: b.index)
    for one, other in zip(together, data.batches(4), strict=True):
        assert one.names == other.names
        np.testing.assert_array_equal(one.feeds["x"], other.feeds["x"])


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("compressed", [False, True])
def test_arrays_longer_than_a_chunk(tmp_path, order, compressed):
    rows = 3 * _CHUNK_BYTES // 4000
    array = np.asarray(np.random.default_rng(0).normal(size=(rows, 1000)).astype(np.float32), order=order)
    (np.savez_compressed if compressed else np.savez)(tmp_path / "a.npz", x=array)
    batches = read(tmp_path / "a.npz", signature(x=("float32", (None, 1000))), batch_size=100)
    np.testing.assert_array_equal(np.concatenate([b.feeds["x"] for b in batches]), array)
    assert batches[0].labels is None


def test_the_only_array_goes_to_the_only_input(tmp_path):
    np.savez(tmp_path / "a.npz", pictures=np.zeros((2, 3), np.uint8), y=[1, 2])
    assert read(tmp_path / "a.npz", X)[0].feeds["x"].dtype == np.float32


def test_renamed_inputs_and_labels(tmp_path):
    np.savez(tmp_path / "a.npz", a=np.zeros((2, 3)), b=np.ones((2, 3)), c=[7, 8])
    batch = read(tmp_path / "a.npz", X, rename={"x": "b"}, label_key="c", label_offset=1)[0]
    assert batch.feeds["x"].all()
    assert batch.labels.tolist() == [8, 9]


def test_limit_and_constants(ten):
    spec = signature(x=("float32", (None, 3)), keep_prob=("float32", ()))
    data = open_data(ten, spec, DataOptions(limit=5, constants={"keep_prob": np.float32(1)}))
    assert data.size == 5
    assert [b.feeds["keep_prob"].shape for b in data.batches(4)] == [(), ()]
    assert sum(len(b) for b in data.batches(4)) == 5
    assert "the first 5 of ten.npz" in data.description


def test_strings(tmp_path):
    np.savez(tmp_path / "a.npz", t=np.array([b"one", b"two"]), label=np.array(["spam", "ham"]))
    batch = read(tmp_path / "a.npz", signature(t=("string", (None,))))[0]
    assert batch.feeds["t"].tolist() == [b"one", b"two"]
    assert batch.labels.tolist() == [b"spam", b"ham"]
    batch = read(tmp_path / "a.npz", signature(t=("string", (None,))), classes=("ham", "spam"))[0]
    assert batch.labels.tolist() == [1, 0]


def test_bfloat16_bits(tmp_path):
    import ml_dtypes

    values = np.array([[1.5, -2.0, 0.25]], ml_dtypes.bfloat16)
    np.savez(tmp_path / "a.npz", x=values)
    np.testing.assert_array_equal(read(tmp_path / "a.npz", signature(x=("bfloat16", (None, 3))))[0].feeds["x"], values)


@pytest.mark.parametrize(
    ("arrays", "options", "says"),
    [
        ({"y2": np.zeros((2, 3)), "z": np.zeros(2)}, {}, "no 'x' for the input 'x'"),
        ({"x": np.zeros((2, 3)), "label": np.zeros(3)}, {}, "unequal numbers of rows"),
        ({"x": np.zeros((2, 4))}, {}, r"row 0: it has the shape \[4\], the input 'x' takes \[3\]"),
        ({"x": np.array([[1, 2, np.nan]])}, {}, "row 0: the value for 'x' holds NaN"),
        ({"x": np.zeros((1, 3)), "label": np.array([np.nan])}, {}, "row 0: the label is NaN"),
        ({"x": np.array([["a", "b", "c"]])}, {}, "takes numbers"),
        ({"x": np.zeros((2, 3))}, {"need_labels": True}, "no label; say which of these it is"),
        ({"x": np.zeros((2, 3)), "lable": [1, 2]}, {"need_labels": True, "label_key": "label"}, "Did you mean 'lable'"),
        ({"x": np.zeros((0, 3))}, {}, "There is no sample"),
        ({"x": np.array([{}], object)}, {}, "Pickled"),
        ({"x": np.zeros((2, 3))}, {"constants": {"k": np.zeros(())}}, "no input 'k'"),
        ({"x": np.zeros((2, 3)), "label": ["a", "b"]}, {"classes": ("b", "c")}, "row 0: the label 'a' is none"),
    ],
)
def test_refuses(tmp_path, arrays, options, says):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(DataError, match=says):
        read(tmp_path / "a.npz", X, **options)


def test_integers_that_do_not_fit(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.array([[0, 300, 1]]))
    with pytest.raises(DataError, match=r"takes uint8; the int64 values do not fit"):
        read(tmp_path / "a.npz", signature(x=("uint8", (None, 3))))
    np.savez(tmp_path / "b.npz", x=np.array([[0.5, 1, 1]]))
    with pytest.raises(DataError, match="do not fit"):
        read(tmp_path / "b.npz", signature(x=("int32", (None, 3))))


def test_damaged_files(tmp_path, ten):
    (tmp_path / "no.npz").write_bytes(b"no zip file")
    with pytest.raises(DataError, match=r"cannot be read as .npz"):
        read(tmp_path / "no.npz", X)
    whole = ten.read_bytes()
    (tmp_path / "half.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"cannot be read as .npz"):
        read(tmp_path / "half.npz", X)


def test_inputs_that_no_sample_fills(ten):
    with pytest.raises(DataError, match="--input_exprs 'k=…'"):
        read(ten, signature(x=("float32", (None, 3)), k=("float32", ())))
