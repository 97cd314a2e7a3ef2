import numpy as np
import pytest

from tests.harness import apply, assert_declines, assert_ignores, parse, run, run_pipeline

LOG, EXP = "replace_log_by_log1p", "replace_exp_by_expm1"


def log(one: str = "1", type_: str = "float32", dims: str = "?", out: str = "y") -> str:
    inputs = f"x = input({type_}[{dims}])\nc = const({type_}, {one})"
    return f"{inputs}\ns = AddV2(x, c)\ny = Log(s)\nz = Neg(x)\nreturn {out}, z"


def exp(one: str = "1", type_: str = "float32", dims: str = "?", out: str = "y") -> str:
    return (
        f"x = input({type_}[{dims}])\nc = const({type_}, {one})\ne = Exp(x)\ny = Sub(e, c)\nz = Neg(x)\nreturn {out}, z"
    )


@pytest.mark.parametrize(("name", "make"), [(LOG, log), (EXP, exp)])
@pytest.mark.parametrize(("one", "type_"), [("2", "float32"), ("nan", "float32"), ("1", "complex64")])
def test_ignores(name, make, one, type_):
    assert_ignores(name, make(one, type_))


def test_ignores_one_minus_an_exponential():
    assert_ignores(EXP, exp().replace("Sub(e, c)", "Sub(c, e)"))


@pytest.mark.parametrize(("name", "make"), [(LOG, log), (EXP, exp)])
def test_declines_what_may_enlarge(name, make):
    assert_declines(name, make("[[1]]"), "enlarge")
    assert_declines(name, make("[1]", dims="*"), "enlarge")


@pytest.mark.parametrize(("name", "source"), [(LOG, log(out="s, y")), (EXP, exp(out="e, y"))])
def test_keeps_inner_values_that_are_fetched(name, source):
    assert_declines(name, source, "an inner node is an output")


@pytest.mark.parametrize("type_", ["float16", "float32", "float64"])
@pytest.mark.parametrize(("name", "make"), [(LOG, log), (EXP, exp)])
def test_special_values(name, make, type_):
    graph = parse(make(type_=type_))
    assert apply(graph, name)[name].applied == 1
    x = [0.0, -0.0, np.inf, -np.inf, np.nan, -1.0, -1.5, -0.5, 1e-3, 2.0, 9.0, 88.0, 90.0, 800.0, -200.0]
    feeds = {"x:0": np.array(x * 2).astype(type_)}
    tolerance = {"float16": 2e-3, "float32": 2e-6, "float64": 1e-13}[type_]
    before, after = run(parse(make(type_=type_)), feeds)["y:0"], run(graph, feeds)["y:0"]
    np.testing.assert_allclose(before, after, rtol=tolerance, atol=tolerance)


def test_the_logarithm_of_a_softmax_stays():
    """One NaN makes each probability of its row NaN, but not each output of LogSoftmax."""
    source = "x = input(float32[?,4])\ns = Softmax(x)\ny = Log(s)\nl = LogSoftmax(x)\nreturn y, l"
    assert_ignores(LOG, source)
    graph = run_pipeline(parse(source))
    assert {"Log", "Softmax", "LogSoftmax"} <= {n.op for n in graph}
    answers = run(graph, {"x:0": np.array([[np.nan, 1, 2, 3]], np.float32)})
    assert np.isnan(answers["y:0"]).all() != np.isnan(answers["l:0"]).all()
