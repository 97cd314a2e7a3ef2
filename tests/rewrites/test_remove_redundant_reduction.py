import numpy as np
import pytest

from tests.harness import apply, assert_declines, assert_rewrites, parse, run

NAME = "remove_redundant_reduction"
OPS = ("Sum", "Prod", "Max", "Min", "Mean")


def source(x: str, axes: str, op: str = "Sum", attrs: str = "") -> str:
    return f"x = input(float32[{x}])\na = const(int32, {axes})\nr = {op}(x, a{attrs})\ny = Relu(r)\nreturn y"


@pytest.mark.parametrize(
    ("x", "axes", "reason"),
    [
        ("2,3", "[1]", "not known to be 1"),
        ("2,?", "[1]", "not known to be 1"),
        ("0,3", "[0]", "not known to be 1"),
        ("1,3", "[0, 1]", "not known to be 1"),
        ("1,3", "[2]", "does not exist"),
        ("*", "[0]", "the rank is unknown"),
        ("1,3", "[0, -2]", "named twice"),
    ],
)
def test_declines(x, axes, reason):
    assert_declines(NAME, source(x, axes), reason)


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("attrs", ["", ", keep_dims=true"])
def test_no_axes(op, attrs):
    assert_rewrites(NAME, source("?,2", "[]", op, attrs), "x = input(float32[?,2])\ny = Relu(x)\nreturn y")


@pytest.mark.parametrize(
    ("x", "axes", "dims"), [("1,3", "[0]", "[0]"), ("1,?,1", "[0, -1]", "[0, 2]"), ("1", "0", "[0]")]
)
def test_single_elements_become_a_squeeze(x, axes, dims):
    after = f"x = input(float32[{x}])\nr = Squeeze(x, squeeze_dims={dims})\ny = Relu(r)\nreturn y"
    assert_rewrites(NAME, source(x, axes), after)


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("attrs", ["", ", keep_dims=true"])
@pytest.mark.parametrize(("shape", "axes"), [("?,1", "[1]"), ("1,1", "[0, 1]"), ("1,?", "[0]")])
def test_every_bit_stays(op, attrs, shape, axes):
    text = f"x = input(float32[{shape}])\na = const(int32, {axes})\ny = {op}(x, a{attrs})\nreturn y"
    graph = parse(text)
    assert apply(graph, NAME)[NAME].applied == 1
    special = np.array([-0.0, np.nan, 1e-40, -np.inf, 3], np.float32)
    for one in [special] if "?" in shape else special.reshape(-1, 1):
        feeds = {"x:0": one.reshape([-1 if d == "?" else int(d) for d in shape.split(",")])}
        assert run(parse(text), feeds)["y:0"].tobytes() == run(graph, feeds)["y:0"].tobytes()


@pytest.mark.parametrize(("op", "type_"), [("All", "bool"), ("Any", "bool"), ("Mean", "int32"), ("Prod", "complex64")])
def test_other_types(op, type_):
    text = f"x = input({type_}[1,3])\na = const(int32, [0])\ny = {op}(x, a)\nreturn y"
    assert_rewrites(NAME, text, f"x = input({type_}[1,3])\ny = Squeeze(x, squeeze_dims=[0])\nreturn y")
