import pytest

from tests.harness import assert_declines, assert_ignores, assert_rewrites

NAME = "merge_tile_dimensions"


def source(spread: str, multiples: str, target: str = "[-1]", x: str = "[?,4,6]", out: str = "y") -> str:
    consts = f"s = const(int32, {spread})\nm = const(int32, {multiples})\nt = const(int32, {target})"
    return f"x = input(float32{x})\n{consts}\nr = Reshape(x, s)\ntile = Tile(r, m)\ny = Reshape(tile, t)\nreturn {out}"


@pytest.mark.parametrize("multiples", ["[2,2,2]", "[1,2,2]"])
def test_ignores_dimensions_that_all_repeat(multiples):
    assert_ignores(NAME, source("[-1,4,6]", multiples))


def test_declines_empty_dimensions():
    assert_declines(NAME, source("[0,1,6]", "[1,2,1]", x="[0,6]"), "a dimension of 0")


def test_keeps_tiles_that_are_fetched():
    assert_declines(NAME, source("[-1,1,6]", "[1,2,1]", out="tile, y"), "an inner node is an output")


@pytest.mark.parametrize(
    ("spread", "multiples", "fewer", "counts"),
    [
        ("[-1,4,1,6]", "[1,1,3,1]", "[-1,6]", "[1,3]"),
        ("[-1,1,4,6]", "[1,2,1,2]", "[-1,4,6]", "[1,2,2]"),
        ("[1,4,6,-1]", "[2,1,1,1]", "[-1]", "[2]"),
        ("[4,-1,6]", "[2,1,3]", "[-1,6]", "[2,3]"),
        ("[1,1,1,-1]", "[2,1,3,1]", "[1,-1]", "[2,3]"),
    ],
)
def test_same_elements(spread, multiples, fewer, counts):
    assert_rewrites(NAME, source(spread, multiples), source(fewer, counts))
