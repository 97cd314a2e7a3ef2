import numpy as np
import pytest

from tests.harness import apply, assert_declines, assert_ignores, assert_rewrites, parse, run

EXACT, ROUNDING = "remove_cast_there_and_back", "remove_float_cast_there_and_back"


def casts(x: str, wide: str, back: str) -> str:
    return f"x = input({x}[?,4])\nw = Cast(x, DstT={wide})\nb = Cast(w, DstT={back})\ny = ZerosLike(b)\nreturn b, y"


@pytest.mark.parametrize(("x", "wide", "back"), [("float16", "float32", "float64"), ("int8", "int32", "int64")])
def test_ignores_third_type(x, wide, back):
    assert_ignores(EXACT, casts(x, wide, back))


@pytest.mark.parametrize(
    ("x", "wide"),
    [("float32", "float16"), ("float32", "int32"), ("int32", "float32"), ("int64", "float64"), ("int16", "int8"),
     ("uint8", "bool"), ("int16", "float16"), ("bfloat16", "float16"), ("float16", "bfloat16")],
)  # fmt: skip
def test_declines_narrow(x, wide):
    assert_declines(EXACT, casts(x, wide, x), "does not hold every")


@pytest.mark.parametrize(("x", "wide"), [("float32", "float64"), ("bfloat16", "float64")])
def test_denormals_need_the_rounding_rule(x, wide):
    assert_declines(EXACT, casts(x, wide, x), "denormal")
    assert_rewrites(ROUNDING, casts(x, wide, x), f"x = input({x}[?,4])\ny = ZerosLike(x)\nreturn x, y")


@pytest.mark.parametrize(
    ("x", "wide"),
    [("float16", "float32"), ("float16", "float64"), ("bfloat16", "float32"), ("int8", "int32"), ("int8", "uint8"),
     ("uint16", "int32"), ("int8", "float16"), ("uint8", "bfloat16"), ("int32", "float64"), ("bool", "float32"),
     ("bool", "uint8")],
)  # fmt: skip
def test_fires_bit_for_bit(x, wide):
    graph, original = parse(casts(x, wide, x)), parse(casts(x, wide, x))
    assert apply(graph, EXACT)[EXACT].applied == 1
    np_dtype = original.nodes["x"].dtypes[0].numpy
    every = np.arange(2**16, dtype=np.uint16)  # all bit patterns of the 16-bit types
    feed = every.view(np_dtype) if np_dtype.itemsize == 2 else every.astype(np_dtype)
    feed = feed.reshape(-1, 4)
    before = next(iter(run(original, {"x:0": feed}).values()))
    after = next(iter(run(graph, {"x:0": feed}).values()))
    usual = ~np.isnan(feed.astype(np.float64))  # which NaN comes back is the conversion's choice
    assert before[usual].tobytes() == after[usual].tobytes()
    assert np.isnan(after[~usual].astype(np.float64)).all()
