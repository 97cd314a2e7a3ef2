import numpy as np
import pytest

from tests.harness import apply, assert_declines, assert_ignores, parse, run

RULES = ("fuse_conjugate_into_transpose", "fuse_conjugate_into_next_transpose", "merge_conjugate_transposes")


def transposes(outer: str, inner: str, p: str, q: str) -> str:
    orders = f"p = const(int32, {p})\nq = const(int32, {q})\n"
    return f"x = input(complex64[?,4,2])\n{orders}t = {inner}(x, p)\ny = {outer}(t, q)\nreturn y"


@pytest.mark.parametrize(
    ("steps", "left"),
    [
        (["Transpose(x, p)", "Conj(a)"], "ConjugateTranspose"),
        (["ConjugateTranspose(x, p)", "Conj(a)"], "Transpose"),
        (["Conj(x)", "Transpose(a, p)"], "ConjugateTranspose"),
        (["Conj(x)", "ConjugateTranspose(a, p)"], "Transpose"),
    ],
)
def test_each_order(steps, left):
    text = f"x = input(complex64[2,3])\np = const(int32, [1, 0])\na = {steps[0]}\ny = {steps[1]}\nreturn y"
    graph = parse(text)
    apply(graph, *RULES)
    assert [n.op for n in graph if n.op not in ("Const", "Placeholder")] == [left]
    x = np.array([[1 + 2j, 3, -1j], [2, 5j, 1 - 1j]], np.complex64)
    np.testing.assert_array_equal(run(parse(text), {"x:0": x})["y:0"], run(graph, {"x:0": x})["y:0"])


@pytest.mark.parametrize("outer", ["Transpose", "ConjugateTranspose"])
@pytest.mark.parametrize("inner", ["Transpose", "ConjugateTranspose"])
def test_two_transposes_that_cancel_or_not(outer, inner):
    for q in ("[0, 2, 1]", "[2, 0, 1]"):
        text = transposes(outer, inner, "[0, 2, 1]", q)
        graph = parse(text)
        apply(graph, *RULES, "merge_transposes", "remove_redundant_transpose")
        assert sum(n.op.endswith("Transpose") for n in graph) <= 1
        x = np.arange(8).reshape(1, 4, 2) * np.complex64(1 + 2j)
        np.testing.assert_array_equal(run(parse(text), {"x:0": x})["y:0"], run(graph, {"x:0": x})["y:0"])


def test_ignores_plain_transposes():
    assert_ignores("merge_conjugate_transposes", transposes("Transpose", "Transpose", "[0, 2, 1]", "[0, 2, 1]"))


def test_declines_orders_that_are_none():
    source = transposes("ConjugateTranspose", "Transpose", "[0, 2, 2]", "[0, 2, 1]")
    assert_declines("merge_conjugate_transposes", source, "no permutation")


@pytest.mark.parametrize("steps", [["Transpose(x, p)", "Conj(a)"], ["Conj(x)", "Transpose(a, p)"]])
def test_declines_variants(steps):
    source = f"x = input(variant[2,3])\np = const(int32, [1, 0])\na = {steps[0]}\ny = {steps[1]}\nreturn y"
    name = RULES[0] if steps[1].startswith("Conj") else RULES[1]
    assert_declines(name, source, "no complex numbers")
