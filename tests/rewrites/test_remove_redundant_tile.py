import pytest

from tests.harness import assert_declines, assert_ignores


def test_ignores_repetition():
    assert_ignores("remove_redundant_tile", "x = input(float32[2])\nm = const(int32, [2])\ny = Tile(x, m)\nreturn y")


@pytest.mark.parametrize(
    ("x", "shape"),
    [
        ("3,1", "const(int32, [3, 4])"),
        ("3", "const(int32, [1, 3])"),
        ("?", "const(int32, [3])"),
        ("*", "const(int32, [3])"),
        ("3", "input(int32[1])"),
    ],
)
def test_broadcast_declines(x, shape):
    source = f"x = input(float32[{x}])\ns = {shape}\ny = BroadcastTo(x, s)\nreturn y"
    assert_declines("remove_redundant_broadcast", source, "not known to be the same")
