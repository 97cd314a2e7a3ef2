import pytest

from tests.harness import apply, assert_ignores, assert_rewrites, canonical, parse

NAME = "remove_reshape_before_unary"


def source(inner: str = "Reshape(x, s)", function: str = "Tanh(r)", out: str = "y", shape: str = "[-1,8]") -> str:
    consts = f"s = const(int32, [-1, 16])\nt = const(int32, {shape})"
    return f"x = input(float32[?,4,4])\n{consts}\nr = {inner}\nf = {function}\ny = Reshape(f, t)\nreturn {out}"


@pytest.mark.parametrize("out", ["r, y", "f, y"])
def test_ignores_results_between_that_are_fetched(out):
    assert_ignores(NAME, source(out=out))


@pytest.mark.parametrize("function", ["Softmax(r)", "AddV2(r, r)", "Cumsum(r, a)"])
def test_ignores_functions_that_need_the_shape(function):
    text = source(function=function).replace("r =", "a = const(int32, 1)\nr =", 1)
    assert_ignores(NAME, text)


def test_ignores_other_inner_ops():
    assert_ignores(NAME, source(inner="Relu(x)"))


def test_reshapes_that_cancel():
    graph = parse(source(shape="[-1,4,4]"))
    apply(graph, NAME, "remove_redundant_reshape")
    assert canonical(graph) == canonical(parse("x = input(float32[?,4,4])\ny = Tanh(x)\nreturn y"))


def test_cast_between():
    after = "x = input(float32[?,4,4])\nf = Cast(x, DstT=int32)\nt = const(int32, [-1,8])\ny = Reshape(f, t)\nreturn y"
    assert_rewrites(NAME, source(function="Cast(r, DstT=int32)"), after)
