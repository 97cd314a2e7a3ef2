import numpy as np
import pytest

from tests.harness import apply, assert_declines, assert_ignores, assert_rewrites, parse, run

REDUCTION, ARG = "move_monotonic_after_reduction", "fold_negation_into_arg_reduction"
INCREASING = ["Relu", "Relu6", "Elu", "Selu", "Sigmoid", "Tanh", "Exp", "Expm1", "Softplus", "Floor", "Ceil", "Rint"]
INCREASING += ["Atan", "Asinh", "Sinh"]


def reduction(function="Exp(x)", op="Max", axes="[1]", x="input(float32[?,8,4])", out="y") -> str:
    return f"x = {x}\nf = {function}\na = const(int32, {axes})\ny = {op}(f, a)\nreturn {out}"


@pytest.mark.parametrize("function", ["Abs(x)", "Cos(x)", "Softsign(x)", "Erf(x)", "Sign(x)", "Reciprocal(x)"])
def test_ignores_other_functions(function):
    assert_ignores(REDUCTION, reduction(function))


def test_ignores_means():
    assert_ignores(REDUCTION, reduction(op="Mean"))


def test_ignores_pools_whose_windows_may_be_all_nan():
    text = (
        "x = input(float32[1,2,2,1])\nf = Relu(x)\ny = MaxPool(f, ksize=[1,2,2,1], strides=[1,2,2,1], padding=VALID)\n"
    )
    assert_ignores(REDUCTION, f"{text}return y")
    moved = (
        "x = input(float32[1,2,2,1])\nm = MaxPool(x, ksize=[1,2,2,1], strides=[1,2,2,1], padding=VALID)\ny = Relu(m)\n"
    )
    feeds = {"x:0": np.full((1, 2, 2, 1), np.nan, np.float32)}
    assert run(parse(f"{text}return y"), feeds)["y:0"] != run(parse(f"{moved}return y"), feeds)["y:0"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"out": "f, y"}, "an inner node is an output"),
        ({"function": "Neg(x)", "x": "input(int32[?,8,4])"}, "no floats"),
        ({"axes": "[0]"}, "known to have elements"),
        ({"axes": "[0, 1]"}, "known to have elements"),
        ({"axes": "[]"}, "known to have elements"),
        ({"axes": "[1]", "x": "input(float32[*])"}, "known to have elements"),
        ({"axes": "[1]", "x": "input(float32[2,0])"}, "known to have elements"),
        ({"function": "Sqrt(x)"}, "may give NaN"),
    ],
)
def test_reduction_declines(changes, reason):
    assert_declines(REDUCTION, reduction(**changes), reason)


@pytest.mark.parametrize("function", ["Relu(x)", "Sigmoid(x)"])
def test_an_activation_stays_with_its_bias(function):
    bias = "x0 = input(float32[?,8,4])\nb = const(float32[4])\nx = BiasAdd(x0, b)"
    assert_declines(REDUCTION, reduction(function).replace("x = input(float32[?,8,4])", bias), "the run-time fuses")


@pytest.mark.parametrize("type_", ["float32", "float64"])
@pytest.mark.parametrize("function", [*INCREASING, "Neg"])
def test_nan_and_infinities(function, type_):
    special = [0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 700.0, -700.0, 2.5]
    x = np.stack([a.reshape(-1) for a in np.meshgrid(special, special, [0.5, -3.0, np.inf, -np.inf])], 1).astype(type_)
    for op in ("Max", "Min"):
        text = reduction(f"{function}(x)", op, x=f"input({type_}[?,3])")
        graph = parse(text)
        assert apply(graph, REDUCTION)[REDUCTION].applied == 1
        before, after = run(parse(text), {"x:0": x})["y:0"], run(graph, {"x:0": x})["y:0"]
        np.testing.assert_allclose(before, after, rtol=1e-6)


def test_square_roots_of_squares():
    head = "x = input(float32[?,8,4])\ns = Square(x)"
    graph = parse(f"{head}\nf = Sqrt(s)\na = const(int32, [1])\ny = Max(f, a)\nreturn y")
    graph.nodes["s"].shapes = graph.nodes["x"].shapes
    assert apply(graph, REDUCTION)[REDUCTION].applied == 1


@pytest.mark.parametrize("op", ["ArgMax", "ArgMin"])
def test_arg_reductions_of_a_negation(op):
    text = f"x = input(float32[?,3])\nf = Neg(x)\na = const(int32, 1)\ny = {op}(f, a, output_type=int32)\nreturn y"
    graph = parse(text)
    assert apply(graph, ARG)[ARG].applied == 1
    special = [0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, 3e38, -3e38]
    x = np.stack([a.reshape(-1) for a in np.meshgrid(special, special, special)], 1).astype(np.float32)
    np.testing.assert_array_equal(run(parse(text), {"x:0": x})["y:0"], run(graph, {"x:0": x})["y:0"])


def test_arg_reductions_decline():
    text = "x = input({}[?,3])\nf = Neg(x)\na = const(int32, 1)\ny = ArgMax(f, a)\nreturn "
    assert_declines(ARG, text.format("int32") + "y", "its own negation")
    assert_declines(ARG, text.format("float32") + "f, y", "an inner node is an output")


@pytest.mark.parametrize("function", ["Sigmoid", "Tanh", "Exp", "Softmax"])
def test_arg_reductions_of_functions_that_saturate_stay(function):
    assert_ignores(ARG, f"x = input(float32[?,3])\nf = {function}(x)\na = const(int32, 1)\ny = ArgMax(f, a)\nreturn y")


def test_kept_dimensions():
    before = reduction().replace("Max(f, a)", "Max(f, a, keep_dims=true)")
    after = "x = input(float32[?,8,4])\na = const(int32, [1])\nm = Max(x, a, keep_dims=true)\ny = Exp(m)\nreturn y"
    assert_rewrites(REDUCTION, before, after)
