"""What subtract_mean_before_scaling declines and does not match, and its other forms."""

import numpy as np
import pytest

from tests.harness import apply, assert_declines, assert_ignores, assert_same, parse, random_feeds, run
from tfpare.engine.rule import Effect

NAME = "subtract_mean_before_scaling"
STATISTICS = (
    "x = input({dtype}[?,8])\naxis = const(int32, [-1])\nm = Mean(x, axis, keep_dims=true)\n"
    "d = SquaredDifference(x, m)\nv = Mean(d, axis, keep_dims=true)\nepsilon = const({dtype}, 0.01)\n"
    "e = AddV2(v, epsilon)\nr = Rsqrt(e)\ngamma = const({dtype}[8])\ns = Mul(r, gamma)\nxs = Mul(x, s)\n"
)
SUM = "n = Neg(m)\nms = Mul(n, s)\ny = AddV2(xs, ms)\nz = Relu(y)\nreturn z"
PLAIN = STATISTICS.format(dtype="float32") + SUM


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("d = SquaredDifference(x, m)", "w = input(float32[?,8])\nd = SquaredDifference(w, m)"),
        ("v = Mean(d, axis, keep", "other = const(int32, [0])\nv = Mean(d, other, keep"),
        ("n = Neg(m)", "w = input(float32[?,1])\nn = Neg(w)"),
        ("e = AddV2(v, epsilon)", "e = AddV2(epsilon, epsilon)"),
        ("d = SquaredDifference(x, m)", "d = Mul(x, m)"),
    ],
)
def test_declines_other_statistics(old, new):
    assert old in PLAIN
    assert_declines(NAME, PLAIN.replace(old, new), "not the variance of these numbers")


@pytest.mark.parametrize("value", ["inf", "nan"])
def test_declines_a_scale_that_is_not_finite(value):
    graph = parse(PLAIN)
    next(n for n in graph if n.name == "gamma").attrs["value"] = np.full(8, float(value), np.float32)
    stats = apply(graph, NAME)[NAME]
    assert not stats.applied
    assert "the scale holds NaN or infinity" in stats.declined


def test_declines_a_second_reader():
    assert_declines(NAME, PLAIN.replace("return z", "q = Relu(n)\nreturn z, q"), "another node needs it")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("ms = Mul(n, s)", "t = input(float32[?,8])\nms = Mul(n, t)"),  # another factor
        ("n = Neg(m)", "n = Relu(m)"),
        ("r = Rsqrt(e)", "r = Sqrt(e)"),
        ("gamma = const(float32[8])", "gamma = input(float32[8])"),
    ],
)
def test_ignores_other_sums(old, new):
    assert old in PLAIN
    assert_ignores(NAME, PLAIN.replace(old, new))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("beta", ["AddV2(ms, beta)", "AddV2(beta, ms)"])
def test_other_floats_and_orders(dtype, beta):
    source = STATISTICS.format(dtype=dtype) + f"n = Neg(m)\nms = Mul(s, n)\nbeta = const({dtype}[8])\nb = {beta}\n"
    source += "y = AddV2(b, xs)\nz = Identity(y)\nreturn z"
    graph, original = parse(source), parse(source)
    assert apply(graph, NAME)[NAME].applied == 1
    feeds = random_feeds(original)
    assert_same(run(original, feeds), run(graph, feeds), Effect.ROUNDING)


def test_rows_that_are_not_finite_or_constant_or_huge():
    rows = np.random.default_rng(0).normal(0, 1, (7, 8)).astype(np.float32)
    rows[0, 3], rows[1, 2], rows[2, 5] = np.nan, np.inf, -np.inf
    rows[3] = 0
    rows[4] = 5
    rows[5] *= 1e20
    rows[6] = 3e38
    source = PLAIN.replace("z = Relu(y)", "z = Identity(y)")
    graph, original = parse(source), parse(source)
    assert apply(graph, NAME)[NAME].applied == 1
    assert_same(run(original, {"x:0": rows}), run(graph, {"x:0": rows}), Effect.ROUNDING)


def test_the_difference_is_shared_with_the_variance():
    graph, original = parse(PLAIN), parse(PLAIN)
    apply(graph, NAME)
    apply(graph, "share_difference")
    ops = [n.op for n in graph]
    assert ops.count("Sub") == ops.count("Square") == 1
    assert "SquaredDifference" not in ops
    feeds = random_feeds(original)
    assert_same(run(original, feeds), run(graph, feeds), Effect.ROUNDING)
