import numpy as np
import pytest

from tests.harness import apply, assert_declines, assert_ignores, assert_rewrites, parse, run

NAME = "move_unary_after_concat"


def source(p="Exp(a)", q="Exp(b)", a="input(float32[?,2])", b="input(float32[?,3])", joined="p, q", out="y") -> str:
    return f"a = {a}\nb = {b}\np = {p}\nq = {q}\naxis = const(int32, 1)\ny = ConcatV2({joined}, axis)\nreturn {out}"


@pytest.mark.parametrize(
    "changes",
    [
        {"q": "Tanh(b)"},
        {"q": "Softmax(b)", "p": "Softmax(a)"},
        {"p": "LeakyRelu(a, alpha=0.1)", "q": "LeakyRelu(b, alpha=0.2)"},
        {"joined": "p, b"},
        {"joined": "p, p"},
        {"joined": "p, q, p"},
    ],
)
def test_ignores(changes):
    assert_ignores(NAME, source(**changes))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"out": "q, y"}, "another node needs a part"),
        ({"p": "Cast(a, DstT=float16)", "q": "Cast(b, DstT=float16)"}, "makes the elements smaller"),
        ({"p": "Cast(a, DstT=int32)", "q": "Cast(b, DstT=int32)"}, "arbitrary integers"),
        ({"p": "IsNan(a)", "q": "IsNan(b)"}, "makes the elements smaller"),
    ],
)
def test_declines(changes, reason):
    assert_declines(NAME, source(**changes), reason)


@pytest.mark.parametrize("function", ["Relu", "Sigmoid"])
def test_an_activation_stays_with_its_bias(function):
    inputs = "c = input(float32[?,2])\nd = const(float32[2])\na = BiasAdd(c, d)\nb = input(float32[?,3])"
    text = f"{inputs}\np = {function}(a)\n"
    assert_declines(
        NAME,
        f"{text}q = {function}(b)\naxis = const(int32, 1)\ny = ConcatV2(p, q, axis)\nreturn y",
        "the run-time fuses",
    )


def test_a_chain_goes_one_by_one():
    text = source(p="Neg(e)", q="Neg(f)").replace("p =", "e = Exp(a)\nf = Exp(b)\np =")
    graph = parse(text)
    assert apply(graph, NAME)[NAME].applied == 2
    feeds = {"a:0": np.array([[0, np.nan]], np.float32), "b:0": np.array([[np.inf, -np.inf, 1]], np.float32)}
    np.testing.assert_allclose(run(parse(text), feeds)["y:0"], run(graph, feeds)["y:0"], rtol=1e-6)


def test_a_cast_that_widens():
    before = source(p="Cast(a, DstT=float32)", q="Cast(b, DstT=float32)", a="input(int8[?,2])", b="input(int8[?,3])")
    after = "a = input(int8[?,2])\nb = input(int8[?,3])\naxis = const(int32, 1)\nc = ConcatV2(a, b, axis)\n"
    assert_rewrites(NAME, before, f"{after}y = Cast(c, DstT=float32)\nreturn y")


def test_ignores_casts_from_two_types():
    texts = {"a": "input(int8[?,2])", "b": "input(int16[?,3])"}
    assert_ignores(NAME, source(p="Cast(a, DstT=float32)", q="Cast(b, DstT=float32)", **texts))
