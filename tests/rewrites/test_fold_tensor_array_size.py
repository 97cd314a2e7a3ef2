import pytest

from tests.harness import assert_declines, assert_ignores, assert_rewrites

NAME = "fold_tensor_array_size"
SOURCE = """
    n = {n}
    array, flow = TensorArrayV3(n, dtype=float32{attrs})
    k = const(int32, 0)
    v = const(float32)
    written = TensorArrayWriteV3(array, k, v, flow)
    y = TensorArraySizeV3(array, written)
    return y
    """


def test_ignores_computed_size():
    assert_ignores(NAME, SOURCE.format(n="input(int32[])", attrs=""))


def test_declines_growing_array():
    assert_declines(NAME, SOURCE.format(n="const(int32, 3)", attrs=", dynamic_size=true"), "may grow")


@pytest.mark.parametrize("n", [1, 3])
def test_fires(n):
    assert_rewrites(NAME, SOURCE.format(n=f"const(int32, {n})", attrs=""), f"n = const(int32, {n})\nreturn n")
