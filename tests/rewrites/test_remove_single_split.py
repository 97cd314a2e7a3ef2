import pytest

from tests.harness import assert_ignores, assert_rewrites

X = "x = input(float32[4,4])\n"


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("remove_single_split", "axis = const(int32, 1)\ny = Split(axis, x, num_split=2)"),
        ("replace_single_pack", "y = Pack(x, x)"),
        ("replace_single_unpack", "y = Unpack(x, num=4)"),
    ],
)
def test_ignores_several(name, line):
    assert_ignores(name, f"{X}{line}\nreturn y")


def test_split_by_sizes():
    before = f"{X}sizes = const(int32, [4])\naxis = const(int32, 0)\ns = SplitV(x, sizes, axis, num_split=1)"
    assert_rewrites("remove_single_split", f"{before}\ny = Relu(s)\nreturn y", f"{X}y = Relu(x)\nreturn y")


@pytest.mark.parametrize("axis", [0, -1])
def test_pack_axis(axis):
    after = f"{X}a = const(int32, {axis})\ny = ExpandDims(x, a)\nreturn y"
    assert_rewrites("replace_single_pack", f"{X}y = Pack(x, axis={axis})\nreturn y", after)
