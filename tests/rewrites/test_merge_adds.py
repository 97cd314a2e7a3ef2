import pytest

from tests.harness import apply, assert_declines, assert_ignores, assert_rewrites, parse, run_pipeline

NAME = "merge_adds"


def source(type_="float32", a="input", c="[3,4]", first="AddV2(a, b)", second="Add(s, c)", out="y") -> str:
    inputs = f"a = {a}({type_}[3,4])\nb = input({type_}[3,4])\nc = input({type_}{c})"
    return f"{inputs}\ns = {first}\ny = {second}\nreturn {out}"


def test_ignores_single_sums():
    assert_ignores(NAME, "a = input(float32[3])\nb = input(float32[3])\ny = AddV2(a, b)\nreturn y")
    assert_ignores(NAME, source(first="Sub(a, b)"))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"out": "s, y"}, "another node needs the partial sum"),
        ({"second": "AddN(s, s, c)"}, "another node needs the partial sum"),
        ({"type_": "complex64"}, "no real numbers"),
        ({"c": "[4]"}, "one shape"),
        ({"c": "[?,4]"}, "one shape"),
        ({"a": "const"}, "an operand is constant"),
    ],
)
def test_declines(changes, reason):
    assert_declines(NAME, source(**changes), reason)


@pytest.mark.parametrize("linear", ["Conv2D(x, k, strides=[1,1,1,1], padding=SAME)", "BiasAdd(x, d)"])
def test_a_residual_sum_stays_with_its_convolution(linear):
    text = f"x = input(float32[2,5,5,4])\nk = const(float32[3,3,4,4])\nd = const(float32[4])\nc = {linear}\n"
    text += "a = Sigmoid(c)\nb = Tanh(c)\ns = AddV2(a, b)\ny = AddV2(c, s)\nreturn y"
    assert_declines(NAME, text, "the run-time fuses")


def test_a_deep_tree_becomes_one():
    inputs = "\n".join(f"x{k} = input(int32[?,4])" for k in range(1))
    text = f"{inputs}\na = Abs(x0)\nb = Neg(x0)\nc = Square(x0)\nd = Sign(x0)\n"
    graph = parse(text + "p = AddV2(a, b)\nq = Add(c, d)\nr = AddV2(p, q)\ny = AddN(r, x0)\nreturn y")
    apply(graph, NAME)
    assert [len(n.inputs) for n in graph if n.op == "AddN"] == [5]


def test_other_dtypes():
    inputs = "a = input(float64[3,4])\nb = input(float64[3,4])\nc = input(float64[3,4])"
    assert_rewrites(NAME, source("float64"), f"{inputs}\ny = AddN(a, b, c)\nreturn y")


def test_common_factors_come_first():
    inputs = "x = input(int32[3,4])\na = input(int32[3,4])\nb = input(int32[3,4])\nc = input(int32[3,4])"
    text = f"{inputs}\np = Mul(x, a)\nq = Mul(x, b)\nr = AddV2(p, q)\ny = AddV2(r, c)\nreturn y"
    graph = run_pipeline(parse(text))
    assert sorted(n.op for n in graph if n.op != "Placeholder") == ["AddV2", "AddV2", "Mul"]
