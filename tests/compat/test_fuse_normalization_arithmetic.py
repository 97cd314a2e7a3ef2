import pytest

from tests.harness import apply, assert_declines, assert_ignores, assert_same, parse, random_feeds, run
from tfpare.engine.rule import Effect

NAME = "fuse_normalization_arithmetic"


def arithmetic(x="float32[2,4,4,3]", shape="3", epsilon="float32, 0.001", shift="Sub(beta, m)"):
    type_ = x.partition("[")[0]
    return f"""
    x = input({x})
    mean = const({type_}[{shape}])
    variance = const({type_}[{shape}])
    epsilon = const({epsilon})
    a = AddV2(variance, epsilon)
    r = Rsqrt(a)
    gamma = const({type_}[3])
    s = Mul(r, gamma)
    scaled = Mul(x, s)
    beta = const({type_}[3])
    m = Mul(mean, s)
    shift = {shift}
    y = AddV2(scaled, shift)
    return y
    """


def test_declines_other_ranks():
    assert_declines(NAME, arithmetic("float32[2,3]"), "four known dimensions")


def test_declines_other_dtypes():
    assert_declines(NAME, arithmetic("float64[2,4,4,3]", epsilon="float64, 0.001"), "not float32")


def test_declines_statistics_of_another_shape():
    assert_declines(NAME, arithmetic(shape="4,1"), "another shape")


def test_declines_an_epsilon_that_is_not_positive():
    assert_declines(NAME, arithmetic(epsilon="float32, 0"), "epsilon")


def test_declines_a_scale_that_something_else_reads():
    assert_declines(NAME, arithmetic().replace("return y", "z = Neg(s)\nreturn y, z"), "another node reads")


def test_ignores_a_shift_the_other_way_round():
    assert_ignores(NAME, arithmetic(shift="Sub(m, beta)"))


@pytest.mark.parametrize("shape", ["3", "1,1,1,3"])
def test_fires(shape):
    source = arithmetic(shape=shape)
    graph, original = parse(source), parse(source)
    assert apply(graph, NAME)[NAME].applied == 1
    feeds = random_feeds(original)
    assert_same(run(original, feeds), run(graph, feeds), Effect.ROUNDING)
