import pytest

from tests.harness import apply, assert_declines, assert_ignores, assert_same, parse, random_feeds, run
from tfpare.engine.rule import Effect

NAME = "fold_batch_norm_into_next_linear"


def before(conv="y = Conv2D(n, k, strides=[1,1,1,1], padding=VALID)", kernel="3,3,3,4", training="false", op="V3"):
    return f"""
    x = input(float32[2,6,6,3])
    gamma = const(float32[3])
    beta = const(float32[3])
    mean = const(float32[3])
    variance = const(float32[3])
    n = FusedBatchNorm{op}(x, gamma, beta, mean, variance, is_training={training})
    k = const(float32[{kernel}])
    {conv}
    return y
    """


def test_declines_convolutions_that_pad():
    assert_declines(NAME, before("y = Conv2D(n, k, strides=[1,1,1,1], padding=SAME)"), "the convolution pads")


def test_declines_batch_statistics():
    assert_declines(NAME, before(training="true"), "own statistics")


def test_declines_grouped_convolutions():
    source = before("y = Conv2D(n, k, strides=[1,1,1,1], padding=VALID)", kernel="3,3,1,3")
    assert_declines(NAME, source, "grouped")


def test_declines_other_layouts():
    conv = "y = Conv2D(n, k, strides=[1,1,1,1], padding=VALID, data_format=NCHW)"
    assert_declines(NAME, before(conv, kernel="3,3,6,4"), "layouts differ")


def test_ignores_kernels_that_are_not_constant():
    source = before().replace("k = const(float32[3,3,3,4])", "k = input(float32[3,3,3,4])")
    assert_ignores(NAME, source)


@pytest.mark.parametrize("op", ["", "V2", "V3"])
@pytest.mark.parametrize(
    ("conv", "kernel"),
    [
        ("y = Conv2D(n, k, strides=[1,2,2,1], padding=VALID)", "3,3,3,4"),
        ("y = Conv2D(n, k, strides=[1,2,2,1], padding=SAME)", "1,1,3,4"),
        ("y = DepthwiseConv2dNative(n, k, strides=[1,1,1,1], padding=VALID)", "2,2,3,2"),
    ],
    ids=["valid", "one_tap", "depthwise"],
)
def test_fires(op, conv, kernel):
    source = before(conv, kernel, op=op)
    graph, original = parse(source), parse(source)
    assert apply(graph, NAME)[NAME].applied == 1
    feeds = random_feeds(original)
    assert_same(run(original, feeds), run(graph, feeds), Effect.ROUNDING)
