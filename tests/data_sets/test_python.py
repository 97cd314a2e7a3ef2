"""Samples from Python functions and tf.data."""

from __future__ import annotations

import numpy as np
import pytest

from tests.data_sets.helpers import labels, read, signature
from tfpare.data.types import DataError

X = signature(x=("float32", (None, 3)))


def test_samples_batches_and_pairs_are_one():
    rows = np.arange(15, dtype=np.float32).reshape(5, 3)

    def samples():
        for k, row in enumerate(rows):
            yield {"x": row, "label": k}

    def batches():
        yield {"x": rows[:3], "label": np.arange(3)}
        yield {"x": rows[3:], "label": np.arange(3, 5)}

    def pairs():
        yield rows, np.arange(5)

    for source in (samples, batches, pairs):
        got = read(source, X)
        assert labels(got) == [0, 1, 2, 3, 4]
        np.testing.assert_array_equal(np.concatenate([b.feeds["x"] for b in got]), rows)
    assert read(batches, X)[1].names == ("batches item 1 row 1",)


def test_tf_data():
    import tensorflow as tf

    rows = np.arange(15, dtype=np.float32).reshape(5, 3)
    data = tf.data.Dataset.from_tensor_slices((rows, np.arange(5)))
    assert labels(read(data, X)) == [0, 1, 2, 3, 4]
    assert labels(read(data.batch(2), X)) == [0, 1, 2, 3, 4]
    words = tf.data.Dataset.from_tensor_slices({"t": ["a", "b"]})
    assert read(words, signature(t=("string", (None,))))[0].feeds["t"].tolist() == [b"a", b"b"]


def test_by_name(tmp_path, monkeypatch):
    (tmp_path / "my_samples.py").write_text("def two():\n    yield {'x': [1, 2, 3]}\n    yield {'x': [4, 5, 6]}\n")
    monkeypatch.chdir(tmp_path)
    assert len(read("my_samples:two", X)[0]) == 2
    with pytest.raises(DataError, match=r"my_samples has no 'too'. Did you mean 'two'"):
        read("my_samples:too", X)
    with pytest.raises(DataError, match=r"'no_such_module' of .* cannot be imported"):
        read("no_such_module:two", X)


def test_a_generator_that_raises_is_named():
    def broken():
        for k in range(10):
            if k == 6:
                raise RuntimeError("disk is gone")
            yield {"x": np.zeros(3)}

    for skip in (0, 100):
        with pytest.raises(DataError, match="broken raised RuntimeError at item 6: disk is gone"):
            read(broken, X, skip_bad=skip)


@pytest.mark.parametrize(
    ("item", "says"),
    [
        ({"w": np.zeros(3), "z": 1}, "item 0: there is no 'x'"),
        ({"x": np.zeros(4)}, r"item 0: it has the shape \[4\]"),
        ({"x": np.array([1, np.nan, 2])}, "item 0: the value for 'x' holds NaN"),
        ({"x": np.zeros((2, 3)), "label": np.zeros(3)}, "item 0: the arrays of the batch have unequal lengths"),
    ],
)
def test_refuses(item, says):
    with pytest.raises(DataError, match=says):
        read(lambda: [item], X)


def test_arrays_alone_go_to_the_only_input():
    assert read(lambda: [np.zeros(3)], X)[0].feeds["x"].shape == (1, 3)
    with pytest.raises(DataError, match="a dict by input key"):
        read(lambda: [np.zeros(3)], signature(a=("float32", (None,)), b=("float32", (None,))))


def test_nothing_at_all():
    with pytest.raises(DataError, match="There is no sample"):
        read(lambda: [], X)


def test_grey_pictures_with_and_without_channels():
    spec = signature(x=("float32", (None, 4, 4, 1)))
    for shape, count in (((4, 4), 1), ((4, 4, 1), 1), ((7, 4, 4), 7), ((7, 4, 4, 1), 7)):
        got = read(lambda shape=shape: [{"x": np.zeros(shape)}], spec, batch_size=10)
        assert len(got[0]) == count, shape
