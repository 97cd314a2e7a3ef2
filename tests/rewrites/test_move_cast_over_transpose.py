import numpy as np
import pytest

from tests.harness import apply, assert_declines, parse, run, run_pipeline

WIDEN, NARROW = "move_widening_cast_after_transpose", "move_narrowing_cast_before_transpose"


def widen(x: str = "uint8", to: str = "float32", out: str = "y") -> str:
    return f"x = input({x}[2,3])\np = const(int32, [1, 0])\nc = Cast(x, DstT={to})\ny = Transpose(c, p)\nreturn {out}"


def narrow(x: str = "float32", to: str = "bfloat16", out: str = "y") -> str:
    return f"x = input({x}[2,3])\np = const(int32, [1, 0])\nt = Transpose(x, p)\ny = Cast(t, DstT={to})\nreturn {out}"


@pytest.mark.parametrize(("x", "to"), [("float32", "int32"), ("float32", "float16"), ("qint8", "float32")])
def test_declines_casts_that_do_not_widen(x, to):
    assert_declines(WIDEN, widen(x, to), "no larger")


@pytest.mark.parametrize(("x", "to"), [("int32", "float32"), ("float16", "float32"), ("complex64", "complex128")])
def test_declines_casts_that_do_not_narrow(x, to):
    assert_declines(NARROW, narrow(x, to), "no smaller")


def test_what_a_float_out_of_range_becomes_depends_on_its_position():
    graph = parse("x = input(float32[?])\ny = Cast(x, DstT=int8)\nreturn y")
    assert len(set(run(graph, {"x:0": np.full(37, np.nan, np.float32)})["y:0"].tolist())) > 1


def test_declines_floats_that_become_integers():
    assert_declines(NARROW, narrow("float32", "int8"), "out of range")


@pytest.mark.parametrize(("name", "source"), [(WIDEN, widen(out="c, y")), (NARROW, narrow(out="t, y"))])
def test_declines_when_the_inner_value_is_fetched(name, source):
    assert_declines(name, source, "an inner node is an output")


@pytest.mark.parametrize(("name", "source"), [(WIDEN, narrow), (NARROW, widen)])
def test_the_two_rules_do_not_undo_each_other(name, source):
    del name
    graph = parse(source())
    stats = apply(graph, WIDEN, NARROW)
    assert stats[WIDEN].applied + stats[NARROW].applied == 1


def test_a_matrix_product_takes_the_transpose_first():
    graph = parse(
        "x = input(int8[4,3])\nk = input(float32[4,5])\np = const(int32, [1, 0])\nc = Cast(x, DstT=float32)\n"
        "t = Transpose(c, p)\ny = MatMul(t, k)\nreturn y"
    )
    run_pipeline(graph)
    assert "Transpose" not in {n.op for n in graph}
