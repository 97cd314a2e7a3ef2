import pytest

from tests.harness import parse
from tfpare.ir.types import UNKNOWN
from tfpare.rewrites.splat import broadcast_shape


def shape_of(a: str, b: str) -> str:
    graph = parse(f"a = input(int32[{a}])\nb = input(int32[{b}])\ny = Mul(a, b)\nreturn y")
    return str(broadcast_shape(graph.nodes["y"]))


@pytest.mark.parametrize(("a", "b", "result"), [("2,1", "3", "[2,3]"), ("", "4", "[4]"), ("0", "1", "[0]")])
def test_known(a, b, result):
    assert shape_of(a, b) == result


@pytest.mark.parametrize(("a", "b"), [("?", "3"), ("*", "3"), ("2", "3")])
def test_unknown(a, b):
    assert shape_of(a, b) == str(UNKNOWN)
