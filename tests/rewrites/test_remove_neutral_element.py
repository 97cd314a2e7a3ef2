import numpy as np
import pytest

from tests.harness import apply, assert_declines, assert_ignores, assert_rewrites, parse, run

EXACT, ROUNDING = "remove_neutral_element", "remove_neutral_float_element"


def source(op: str, type_: str, c: str, x: str = "2,3") -> str:
    return f"x = input({type_}[{x}])\nc = const({type_}, {c})\nm = {op}\ny = Identity(m)\nreturn y"


@pytest.mark.parametrize(
    ("op", "type_", "c"),
    [
        ("Mul(x, c)", "float32", "2"),
        ("Mul(x, c)", "float32", "[1, 1, 2]"),
        ("Sub(c, x)", "float32", "0"),
        ("RealDiv(c, x)", "float32", "1"),
        ("MulNoNan(c, x)", "float32", "1"),  # 0 for NaN times 0: the second operand is the one that counts
        ("MulNoNan(x, c)", "float32", "0"),
        ("FloorDiv(x, c)", "float32", "1"),  # rounds down
        ("Mul(x, c)", "complex64", "1"),  # infinity times 0
        ("LogicalAnd(x, c)", "bool", "False"),
        ("Add(x, c)", "string", "b''"),
    ],
)
def test_ignores(op, type_, c):
    assert_ignores(EXACT, source(op, type_, c))
    assert_ignores(ROUNDING, source(op, type_, c))


@pytest.mark.parametrize("rule", [(EXACT, "int32"), (ROUNDING, "float32")])
@pytest.mark.parametrize(("c", "x"), [("[[1], [1]]", "?,3"), ("[[1]]", "3"), ("[1, 1]", "2,1"), ("[1]", "*")])
def test_declines_larger_shape(rule, c, x):
    name, type_ = rule
    assert_declines(name, source("Mul(x, c)", type_, c, x), "enlarge")


@pytest.mark.parametrize(
    ("op", "c"),
    [("Mul(x, c)", "1"), ("Mul(c, x)", "[1, 1, 1]"), ("RealDiv(x, c)", "1"), ("Sub(x, c)", "0"), ("AddV2(c, x)", "0"),
     ("MulNoNan(x, c)", "1"), ("DivNoNan(x, c)", "[1, 1, 1]"),
     ("Add(x, c)", "[[0, 0, 0]]"), ("AddV2(x, c)", "-0.0")],
)  # fmt: skip
def test_floats(op, c):
    assert_declines(EXACT, source(op, "float32", c), "floats")
    assert_rewrites(ROUNDING, source(op, "float32", c), "x = input(float32[2,3])\ny = Identity(x)\nreturn y")


@pytest.mark.parametrize(
    ("op", "type_", "c"),
    [("Mul(x, c)", "int32", "1"), ("FloorDiv(x, c)", "int32", "1"), ("Sub(x, c)", "int64", "[0, 0, 0]"),
     ("AddV2(c, x)", "uint8", "0"), ("LogicalAnd(x, c)", "bool", "True"), ("LogicalOr(c, x)", "bool", "False")],
)  # fmt: skip
def test_integers_and_booleans(op, type_, c):
    assert_rewrites(EXACT, source(op, type_, c), f"x = input({type_}[2,3])\ny = Identity(x)\nreturn y")


@pytest.mark.parametrize(("op", "c"), [("AddV2(x, c)", "0.0"), ("Sub(x, c)", "-0.0")])
def test_half_declines_where_zero_changes_sign(op, c):
    assert_declines(EXACT, source(op, "float16", c), "sign of 0")


@pytest.mark.parametrize(
    ("op", "c"),
    [("Mul(x, c)", "1"), ("RealDiv(x, c)", "1"), ("Sub(x, c)", "0.0"), ("AddV2(x, c)", "-0.0"), ("MulNoNan(x, c)", "1"),
     ("DivNoNan(x, c)", "1")],
)  # fmt: skip
def test_half_keeps_every_bit(op, c):
    text = source(op, "float16", c, "?")
    graph = parse(text)
    assert apply(graph, EXACT)[EXACT].applied == 1
    every = np.arange(2**16, dtype=np.uint16).view(np.float16)
    every = every[~np.isnan(every)]
    assert run(parse(text), {"x:0": every})["y:0"].tobytes() == run(graph, {"x:0": every})["y:0"].tobytes()
