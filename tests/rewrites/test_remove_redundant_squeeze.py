import pytest

from tests.harness import assert_declines, assert_rewrites

KEPT = "x = input(float32[{dims}])\ny = Relu(x)\nreturn y"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("x = input(float32[3,1])\ns = Squeeze(x)", "may be 1"),
        ("x = input(float32[3,?])\ns = Squeeze(x)", "may be 1"),
        ("x = input(float32[*])\ns = Squeeze(x)", "may be 1"),
        ("x = input(float32[3,1])\ns = Squeeze(x, squeeze_dims=[1])", "names the dimensions"),
    ],
)
def test_squeeze_declines(line, reason):
    assert_declines("remove_redundant_squeeze", f"{line}\ny = Relu(s)\nreturn y", reason)


def squeezed_expand(x: str, axis: int, dims: str) -> str:
    return f"""
        x = input(float32[{x}])
        axis = const(int32, {axis})
        e = ExpandDims(x, axis)
        s = Squeeze(e, squeeze_dims={dims})
        y = Relu(s)
        return y
        """


def expanded_squeeze(x: str, axis: int, dims: str) -> str:
    return f"""
        x = input(float32[{x}])
        axis = const(int32, {axis})
        s = Squeeze(x, squeeze_dims={dims})
        e = ExpandDims(s, axis)
        y = Relu(e)
        return y
        """


@pytest.mark.parametrize(
    ("x", "axis", "dims"), [("1,4", 0, "[1]"), ("1,4", 0, "[]"), ("1,4", 0, "[0, 1]"), ("*", 0, "[-3]")]
)
def test_squeezed_expand_dims_declines(x, axis, dims):
    assert_declines("remove_squeezed_expand_dims", squeezed_expand(x, axis, dims), "not the dimension")


@pytest.mark.parametrize(("x", "axis", "dims"), [("1,4", 0, "[0]"), ("?,4", 1, "[-2]"), ("?,4", -3, "[0]")])
def test_squeezed_expand_dims_fires(x, axis, dims):
    assert_rewrites("remove_squeezed_expand_dims", squeezed_expand(x, axis, dims), KEPT.format(dims=x))


@pytest.mark.parametrize(("x", "axis", "dims"), [("1,1", 0, "[1]"), ("1,4", 1, "[]"), ("1,1,4", 0, "[0, 1]")])
def test_expanded_squeeze_declines(x, axis, dims):
    assert_declines("remove_expanded_squeeze", expanded_squeeze(x, axis, dims), "not the dimension")


@pytest.mark.parametrize(("x", "axis", "dims"), [("1,4", 0, "[0]"), ("?,1,4", 1, "[-2]"), ("?,4,1", -1, "[2]")])
def test_expanded_squeeze_fires(x, axis, dims):
    assert_rewrites("remove_expanded_squeeze", expanded_squeeze(x, axis, dims), KEPT.format(dims=x))
