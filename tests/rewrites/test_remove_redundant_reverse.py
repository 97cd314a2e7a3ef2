import pytest

from tests.harness import assert_declines, assert_rewrites


def reverse(x: str, axes: str) -> str:
    return f"x = input(float32[{x}])\na = const(int32, {axes})\nr = ReverseV2(x, a)\ny = Relu(r)\nreturn y"


@pytest.mark.parametrize(
    ("x", "axes", "reason"),
    [
        ("2,3", "[0]", "larger than 1"),
        ("1,?", "[0, 1]", "larger than 1"),
        ("*", "[0]", "the rank is unknown"),
        ("1,3", "[2]", "does not exist"),
    ],
)
def test_reverse_declines(x, axes, reason):
    assert_declines("remove_redundant_reverse", reverse(x, axes), reason)


@pytest.mark.parametrize(("x", "axes"), [("1,3", "[-2]"), ("1,?,1", "[0, 2]"), ("?", "[]"), ("0,3", "[0]")])
def test_reverse_fires(x, axes):
    assert_rewrites("remove_redundant_reverse", reverse(x, axes), f"x = input(float32[{x}])\ny = Relu(x)\nreturn y")


@pytest.mark.parametrize("x", ["2,1", "?", "*"])
def test_shuffle_declines(x):
    text = f"x = input(float32[{x}])\ns = RandomShuffle(x, seed=1)\ny = Relu(s)\nreturn y"
    assert_declines("remove_redundant_shuffle", text, "several rows")


@pytest.mark.parametrize("x", ["", "1", "1,?", "0"])
def test_shuffle_fires(x):
    text = f"x = input(float32[{x}])\ns = RandomShuffle(x)\ny = Relu(s)\nreturn y"
    assert_rewrites("remove_redundant_shuffle", text, f"x = input(float32[{x}])\ny = Relu(x)\nreturn y")
