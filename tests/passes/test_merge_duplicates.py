import numpy as np
import pytest

from tests.harness import parse
from tests.passes.graphs import apply_pass, assert_answers, ops
from tfpare.passes.merge_duplicates import digest

NAME = "merge_duplicates"


def merged(source: str) -> list[str]:
    graph = parse(source)
    apply_pass(NAME, graph)
    return ops(graph)


def pair(op: str, type_: str, attrs: str = "", other: str = "b, a") -> str:
    head = f"a = input({type_}[3])\nb = input({type_}[3])\n"
    return f"{head}p = {op}(a, b{attrs})\nq = {op}({other}{attrs})\nreturn p, q"


def test_nothing_to_merge():
    source = "x = input(float32[3])\na = Relu(x)\nb = Relu6(x)\n"
    source += "c = LeakyRelu(x, alpha=0.1)\nd = LeakyRelu(x, alpha=0.2)\nreturn a, b, c, d"
    assert apply_pass(NAME, parse(source)).applied == 0


def test_equal_subgraphs_collapse():
    source = """
        x = input(float32[3])
        c = const(float32, 3)
        d = const(float32, 3)
        a = Square(c)
        b = Square(d)
        q = RealDiv(a, b)
        y = Mul(x, q)
        return y
        """
    assert merged(source) == ["Const", "Mul", "Placeholder", "RealDiv", "Square"]


@pytest.mark.parametrize(
    ("op", "type_"),
    [("Mul", "float32"), ("AddV2", "float16"), ("Add", "int32"), ("Maximum", "int8"), ("BitwiseXor", "int32"),
     ("LogicalAnd", "bool"), ("Equal", "float32"), ("SquaredDifference", "float64"), ("AddN", "float32")],
)  # fmt: skip
def test_commutative_operands_in_either_order(op, type_):
    assert merged(pair(op, type_)).count(op) == 1


@pytest.mark.parametrize(
    ("op", "type_"),
    [("Sub", "float32"), ("Add", "string"), ("Maximum", "float32"), ("Minimum", "float16"), ("Mul", "complex64"),
     ("Less", "int32")],
)  # fmt: skip
def test_order_that_matters_stays(op, type_):
    assert merged(pair(op, type_)).count(op) == 2


def test_strings_are_joined_in_order():
    graph, original = parse(pair("Add", "string")), parse(pair("Add", "string"))
    apply_pass(NAME, graph)
    feeds = {"a:0": np.array([b"1", b"2", b"3"], object), "b:0": np.array([b"x", b"y", b"z"], object)}
    assert_answers(graph, original, feeds)


def test_the_larger_of_two_zeros_depends_on_the_order():
    graph, original = parse(pair("Maximum", "float32")), parse(pair("Maximum", "float32"))
    apply_pass(NAME, graph)
    feeds = {"a:0": np.zeros(3, np.float32), "b:0": -np.zeros(3, np.float32)}
    from tests.harness import run

    before, after = run(original, feeds), run(graph, feeds)
    assert all(before[k].tobytes() == after[k].tobytes() for k in before)


def test_sums_of_three_floats_keep_their_order():
    source = (
        "a = input({0}[3])\nb = input({0}[3])\nc = input({0}[3])\np = AddN(a, b, c)\nq = AddN(c, a, b)\nreturn p, q"
    )
    assert merged(source.format("float32")).count("AddN") == 2
    assert merged(source.format("int32")).count("AddN") == 1


@pytest.mark.parametrize(
    "line",
    ["RandomUniform(n, dtype=float32)", "RandomUniform(n, dtype=float32, seed=1)",
     "RandomStandardNormal(n, dtype=float32)",
     "StackV2(m)", "TensorArrayV3(m, dtype=float32)", "Print(n, n)"],
)  # fmt: skip
def test_state_and_chance_stay(line):
    source = f"n = const(int32, [2])\nm = const(int32, 2)\np = {line}\nq = {line}\nreturn p, q"
    assert merged(source).count(line.partition("(")[0]) == 2


def test_checks_and_asserts_stay():
    source = """
        x = input(float32[3])
        ok = input(bool)
        a = CheckNumerics(x, message=here)
        b = CheckNumerics(x, message=here)
        c = CheckNumerics(x, message=there)
        first = Assert(ok, x)
        second = Assert(ok, x)
        n = Neg(a, ^first)
        m = Abs(a, ^second)
        return a, b, c, n, m
        """
    found = merged(source)
    assert found.count("CheckNumerics") == 3  # they may fail, and say where
    assert found.count("Assert") == 2


@pytest.mark.parametrize("how", ["fed", "pinned"])
def test_fed_and_pinned_nodes_stay(how):
    graph = parse("x = input(float32[3])\na = Relu(x)\nb = Relu(x)\nreturn a, b")
    if how == "fed":
        graph.fed.add(graph.nodes["b"].out())
    else:
        graph.pinned.add(graph.nodes["b"])
    assert apply_pass(NAME, graph).applied == 0


def test_other_control_inputs_and_devices_keep_nodes_apart():
    source = "x = input(float32[3])\ne = Print(x, x)\na = Relu(x)\nb = Relu(x, ^e)\nc = Relu(x)\nreturn a, b, c"
    graph = parse(source)
    graph.nodes["c"].device = "/device:GPU:0"
    assert apply_pass(NAME, graph).applied == 0


@pytest.mark.parametrize("number", [0.0, -0.0, np.nan, 1.5])
def test_one_number_stored_once_equals_its_copies(number):
    dense = np.full((100, 100), number, np.float32)
    lazy = np.broadcast_to(np.float32(number), (100, 100))
    assert digest(dense) == digest(lazy)
    assert digest(dense) != digest(np.full((100, 100), 2.5, np.float32))
    assert digest(dense) != digest(dense.reshape(-1))
    almost = dense.copy()
    almost[50, 50] = 7
    assert digest(dense) != digest(almost)


def test_constants_that_differ_in_the_sign_of_zero_stay():
    assert merged("a = const(float32, 0.0)\nb = const(float32, -0.0)\nreturn a, b") == ["Const", "Const"]
    assert merged("a = const(float32, 1)\nb = const(float64, 1)\nreturn a, b") == ["Const", "Const"]
