"""What Grappler's arithmetic optimizer does with several ops at once, and what has to stay, on our own graphs."""

import numpy as np
import pytest

from tests.harness import ALL_RULES, apply, assert_declines, assert_ignores, canonical, parse, run, run_pipeline

ARITHMETIC = (
    "remove_identity", "merge_transposes", "remove_redundant_transpose", "remove_redundant_reshape", "merge_reshapes",
    "remove_redundant_cast", "remove_idempotent", "remove_double_negation", "fold_added_negation",
    "fold_subtracted_negation", "remove_single_addn",
)  # fmt: skip


def ops(graph) -> list[str]:
    return sorted(n.op for n in graph if n.op not in ("Const", "Placeholder"))


def after(text: str) -> list[str]:
    graph = parse(text)
    apply(graph, *ARITHMETIC)
    return ops(graph)


TURN = "x = input(float32[?,2,3,4])\np = const(int32, [0, 2, 3, 1])\nq = const(int32, [0, 3, 1, 2])\n"


def test_transposes_cancel_across_identities():
    text = f"{TURN}a = Transpose(x, p)\ni = Identity(a)\nb = Transpose(i, q)\ny = Abs(b)\nreturn y"
    assert after(text) == ["Abs"]


def test_transposes_that_do_not_cancel_become_one():
    text = f"{TURN}a = Transpose(x, p)\nb = Transpose(a, p)\ny = Abs(b)\nreturn y"
    assert after(text) == ["Abs", "Transpose"]


def test_transposes_of_unknown_order_stay():
    text = "x = input(float32[?,2])\np = input(int32[2])\na = Transpose(x, p)\ny = Transpose(a, p)\nreturn y"
    assert after(text) == ["Transpose", "Transpose"]


def test_cancelled_transposes_keep_the_control_edge():
    text = f"w = NoOp()\n{TURN}a = Transpose(x, p)\nb = Transpose(a, q, ^w)\ny = Abs(b)\nreturn y"
    graph = parse(text)
    apply(graph, *ARITHMETIC)
    assert ops(graph) == ["Abs", "NoOp"]
    assert [c.op for c in graph.nodes["y"].controls] == ["NoOp"]


def test_a_first_transpose_that_is_fetched_stays_alone():
    text = f"{TURN}a = Transpose(x, p)\nb = Transpose(a, q)\ny = Abs(b)\nreturn a, y"
    assert after(text) == ["Abs", "Transpose"]


@pytest.mark.parametrize(
    ("x", "shape", "left"),
    [
        ("[3,4]", "[3,4]", 0),
        ("[?,4]", "[-1,4]", 0),
        ("[?,?]", "[-1,4]", 1),
        ("[?,4]", "[3,4]", 1),
        ("[*]", "[-1,4]", 1),
    ],
)
def test_reshapes_to_the_same_shape(x, shape, left):
    text = f"x = input(float32{x})\ns = const(int32, {shape})\nr = Reshape(x, s)\ny = Abs(r)\nreturn y"
    assert after(text).count("Reshape") == left


def test_reshapes_become_one():
    shapes = "s = const(int32, [-1,8])\nt = const(int32, [2,-1])\nu = const(int32, [-1,2,2])\n"
    text = f"x = input(float32[?,4])\n{shapes}a = Reshape(x, s)\nb = Reshape(a, t)\ny = Reshape(b, u)\nreturn y"
    assert after(text) == ["Reshape"]


@pytest.mark.parametrize(
    ("body", "left"),
    [
        ("n = Neg(b)\ny = AddV2(a, n)", ["Sub"]),
        ("n = Neg(a)\ny = Add(n, b)", ["Sub"]),
        ("n = Neg(b)\ny = Sub(a, n)", ["AddV2"]),
        ("n = Neg(a)\ny = Sub(n, b)", ["Neg", "Sub"]),
    ],
)
def test_negated_operands(body, left):
    assert after(f"a = input(float32[2])\nb = input(float32[2])\n{body}\nreturn y") == left


@pytest.mark.parametrize("op", ["Relu", "Abs", "Floor", "Identity", "Snapshot", "StopGradient"])
def test_idempotent_ops_leave_one_at_most(op):
    assert after(f"x = input(float32[2])\na = {op}(x)\nb = {op}(a)\ny = Neg(b)\nreturn y").count(op) <= 1


def test_a_product_behind_a_fetched_transpose_does_not_reach_the_convolution():
    text = (
        "x = input(float32[1,3,8,8])\nc = const(float32, 0.5)\nm = Mul(x, c)\np = const(int32, [0, 2, 3, 1])\n"
        "t = Transpose(m, p)\nk = const(float32[3,3,3,4])\n"
        "y = Conv2D(t, k, strides=[1,1,1,1], padding=SAME)\nreturn t, y"
    )
    graph = run_pipeline(parse(text))
    feeds = {"x:0": np.random.default_rng(0).normal(size=(1, 3, 8, 8)).astype(np.float32)}
    before, result = run(parse(text), feeds), run(graph, feeds)
    assert "Mul" in ops(graph)
    np.testing.assert_array_equal(before["t:0"], result["t:0"])
    np.testing.assert_array_equal(before["y:0"], result["y:0"])


def test_equal_values_are_packed_as_they_are():
    text = "x = input(float32[3,4])\ny = Pack(x, x, axis=1)\nreturn y"
    assert ops(run_pipeline(parse(text))) == ["Pack"]


@pytest.mark.parametrize("ones", ["const(float32, [[1, 1, 1]])", "const(float32, [[1], [1], [1]])"])
def test_products_with_ones_that_broadcast_stay(ones):
    text = f"x = input(float32[1,1])\no = {ones}\ny = Mul(x, o)\nreturn y"
    assert ops(run_pipeline(parse(text))) == ["Mul"]


def test_sums_stay_sums():
    inputs = "a = input(float32[3])\nb = input(float32[3])\nc = input(float32[3])"
    text = f"{inputs}\ns = AddV2(a, b)\ny = AddV2(s, c)\nreturn y"
    assert ops(run_pipeline(parse(text))) == ["AddV2", "AddV2"]


def test_casts_around_a_transpose_settle():
    text = "x = input(uint8[2,3])\np = const(int32, [1, 0])\na = Cast(x, DstT=float32)\nt = Transpose(a, p)\n"
    once = run_pipeline(parse(f"{text}y = Cast(t, DstT=float16)\nreturn y"))
    first = canonical(once)
    assert canonical(run_pipeline(once)) == first


def test_a_negation_of_an_edge_fed_by_callers_stays():
    graph = parse("x = input(float32[2])\na = Neg(x)\nb = Neg(a)\ny = Abs(b)\nreturn y")
    graph.fed.add(graph.nodes["a"].out())
    apply(graph, *ARITHMETIC)
    assert ops(graph) == ["Abs", "Neg", "Neg"]


def test_every_named_rule_exists():
    assert set(ARITHMETIC) <= set(ALL_RULES)


def test_swapped_subtraction_of_a_negation_is_no_sum():
    assert_ignores(
        "fold_added_negation", "a = input(float32[2])\nb = input(float32[2])\nn = Neg(a)\ny = Sub(n, b)\nreturn y"
    )


def test_a_negation_that_is_fetched_stays():
    text = "a = input(float32[2])\nb = input(float32[2])\nn = Neg(b)\ny = AddV2(a, n)\nreturn n, y"
    graph = parse(text)
    apply(graph, "fold_added_negation")
    assert "Neg" in ops(graph)


def test_reshapes_of_unknown_rank_say_why():
    text = "x = input(float32[*])\ns = const(int32, [-1,4])\nr = Reshape(x, s)\ny = Abs(r)\nreturn y"
    assert_declines("remove_redundant_reshape", text, "a shape is not known")
