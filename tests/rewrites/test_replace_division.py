import numpy as np
import pytest

from tests.harness import apply, assert_declines, assert_ignores, assert_rewrites, parse, run

EXACT, ROUNDING = "replace_exact_division", "replace_division"


def source(c: str, type_: str = "float32", op: str = "RealDiv(x, c)") -> str:
    return f"x = input({type_}[?,2])\nc = const({type_}, {c})\ny = {op}\nreturn y"


@pytest.mark.parametrize(
    ("c", "type_", "op"),
    [("4", "int32", "Div(x, c)"), ("4", "complex64", "RealDiv(x, c)"), ("4", "float32", "RealDiv(c, x)"),
     ("4", "float32", "FloorDiv(x, c)")],
)  # fmt: skip
def test_ignores(c, type_, op):
    assert_ignores(EXACT, source(c, type_, op))
    assert_ignores(ROUNDING, source(c, type_, op))


@pytest.mark.parametrize("c", ["3", "[4, 0.3]"])
def test_other_numbers_are_not_exact(c):
    assert_ignores(EXACT, source(c))


@pytest.mark.parametrize(
    ("c", "type_"),
    [("0", "float32"), ("[2, inf]", "float32"), ("nan", "float32"), ("1e-40", "float32"), ("1.7e38", "float32"),
     ("32768", "float16"), ("-0.0", "float64")],
)  # fmt: skip
def test_declines(c, type_):
    assert_declines(ROUNDING, source(c, type_), "denormal, infinite or NaN")


@pytest.mark.parametrize("c", ["0", "[2, inf]", "32768"])
def test_exact_declines(c):
    assert_declines(EXACT, source(c, "float16"), "denormal, infinite or NaN")


@pytest.mark.parametrize(("c", "inverse"), [("4", "0.25"), ("[-8, 0.5]", "[-0.125, 2]")])
@pytest.mark.parametrize("op", ["RealDiv", "Div"])
def test_powers_of_two(c, inverse, op):
    assert_rewrites(EXACT, source(c, op=f"{op}(x, c)"), source(inverse, op="Mul(x, c)"))


@pytest.mark.parametrize("type_", ["float16", "bfloat16"])
@pytest.mark.parametrize("c", ["4", "-0.5", "1024"])
def test_every_bit_of_short_floats(type_, c):
    text = f"x = input({type_}[?])\nc = const({type_}, {c})\ny = RealDiv(x, c)\nreturn y"
    graph = parse(text)
    assert apply(graph, EXACT)[EXACT].applied == 1
    every = np.arange(2**16, dtype=np.uint16).view(graph.nodes["x"].dtypes[0].numpy)
    before, after = run(parse(text), {"x:0": every})["y:0"], run(graph, {"x:0": every})["y:0"]
    usual = ~np.isnan(before.astype(np.float32))
    assert before[usual].tobytes() == after[usual].tobytes()
    assert np.isnan(after[~usual].astype(np.float32)).all()


def test_special_numbers():
    text = source("[8, -0.0625]")
    graph = parse(text)
    assert apply(graph, EXACT)[EXACT].applied == 1
    values = np.array([0, -0.0, np.inf, -np.inf, np.nan, 1e-40, 1.2e-38, 3e38, 1.5e-38, 7], np.float32)
    feeds = {"x:0": np.stack([values, values], 1)}
    before, after = run(parse(text), feeds)["y:0"], run(graph, feeds)["y:0"]
    np.testing.assert_array_equal(before, after)
    np.testing.assert_array_equal(np.signbit(before), np.signbit(after))
