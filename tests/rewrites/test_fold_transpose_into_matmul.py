import numpy as np
import pytest

from tests.harness import apply, assert_declines, assert_ignores, assert_rewrites, parse, run

NAME = "fold_transpose_into_matmul"


def source(op: str = "MatMul", order: str = "const(int32, [1, 0])", dims: str = "4,3", returned: str = "y") -> str:
    inputs = f"a = input(float32[{dims}])\nb = input(float32[4,5])\np = {order}"
    return f"{inputs}\nt = Transpose(a, p)\ny = {op}(t, b)\nreturn {returned}"


def test_ignores_products_without_transposes():
    assert_ignores(NAME, "a = input(float32[3,4])\nb = input(float32[4,5])\ny = MatMul(a, b)\nreturn y")


@pytest.mark.parametrize("op", ["MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3"])
@pytest.mark.parametrize("flags", [(False, False), (True, False), (False, True), (True, True)])
def test_both_operands_and_flags_there_already(op, flags):
    names = ("transpose_a", "transpose_b") if op == "MatMul" else ("adj_x", "adj_y")
    extra = ", Tout=float32" if op == "BatchMatMulV3" else ""
    order = "p = const(int32, [1, 0])\nq = const(int32, [1, 0])"
    inputs = f"a = input(float32[{'3,4' if flags[0] else '4,3'}])\nb = input(float32[{'4,5' if flags[1] else '5,4'}])"
    before, after = (
        ", ".join(f"{n}={str(bool(f) != turn).lower()}" for n, f in zip(names, flags, strict=True))
        for turn in (False, True)
    )
    assert_rewrites(
        NAME,
        f"{inputs}\n{order}\ns = Transpose(a, p)\nt = Transpose(b, q)\ny = {op}(s, t, {before}{extra})\nreturn y",
        f"{inputs}\ny = {op}(a, b, {after}{extra})\nreturn y",
    )


def test_declines_an_order_that_is_fed():
    assert_declines(NAME, source(order="input(int32[2])"), "not constant")


def test_declines_other_orders():
    inputs = "a = input(float32[4,2,3])\nb = input(float32[2,4,5])\np = const(int32, [1, 2, 0])"
    assert_declines(NAME, f"{inputs}\nt = Transpose(a, p)\ny = BatchMatMulV2(t, b)\nreturn y", "more than swap")


def test_keeps_a_transpose_that_is_fetched():
    assert_declines(NAME, source(returned="t, y"), "another node needs")


@pytest.mark.parametrize(("op", "transpose"), [("MatMul", "ConjugateTranspose"), ("BatchMatMulV2", "Transpose")])
def test_declines_the_other_conjugation(op, transpose):
    text = source(op).replace("float32", "complex64").replace("= Transpose", f"= {transpose}")
    assert_declines(NAME, text, "conjugate differently")


@pytest.mark.parametrize(("op", "transpose"), [("MatMul", "Transpose"), ("BatchMatMulV2", "ConjugateTranspose")])
def test_complex_matrices(op, transpose):
    text = source(op).replace("float32", "complex64").replace("= Transpose", f"= {transpose}")
    graph = parse(text)
    assert apply(graph, NAME)[NAME].applied == 1
    rng = np.random.default_rng(0)
    a, b = ((rng.normal(size=s) + 1j * rng.normal(size=s)).astype(np.complex64) for s in ((4, 3), (4, 5)))
    feeds = {"a:0": a, "b:0": b}
    np.testing.assert_allclose(run(parse(text), feeds)["y:0"], run(graph, feeds)["y:0"], rtol=1e-5, atol=1e-5)
