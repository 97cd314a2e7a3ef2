"""fuse_quantized_conv_and_requantize: one op for a convolution and the narrowing of its result."""

import numpy as np
import pytest

from tests.compat.helpers import build, inputs_of, names, node, notes, ops, transform
from tfpare.compat.transforms.fuse_quantized_conv_and_requantize import _FUSED_TYPE

FUSE = "fuse_quantized_conv_and_requantize"
RNG = np.random.default_rng(0)
KERNEL = RNG.integers(-127, 128, (3, 3, 4, 8)).astype(np.int8)
BIAS = RNG.normal(size=8).astype(np.float32)
X = {"x": RNG.integers(0, 256, (1, 8, 8, 4)).astype(np.uint8)}


def conv(v1, op, low, high, x=None, name="narrow", min_input=0.0, out_type=None, summand=None):
    """`op` of uint8 `x` (0 … 6), narrowed to low … high: its three outputs."""
    import tensorflow as tf

    raw = tf.raw_ops
    if x is None:
        x = (
            tf.bitcast(v1.placeholder("uint8", [1, 8, 8, 4], name="x"), "quint8"),
            v1.constant(min_input),
            v1.constant(6.0),
        )
    kernel = KERNEL if x[0].shape[3] == 4 else np.concatenate([KERNEL, KERNEL[:, :, ::-1]], 2)
    more = {"bias": v1.constant(BIAS)} if "Bias" in op else {}
    wide = getattr(raw, op)(
        input=x[0],
        filter=tf.bitcast(v1.constant(kernel), "qint8"),
        min_input=x[1],
        max_input=x[2],
        min_filter=v1.constant(-0.5),
        max_filter=v1.constant(0.5),
        strides=[1, 1, 1, 1],
        padding="SAME",
        out_type="qint32",
        name=f"{name}_conv",
        **more,
    )
    return raw.Requantize(
        input=wide[0],
        input_min=wide[1],
        input_max=wide[2],
        requested_output_min=v1.constant(low, name=f"{name}_low"),
        requested_output_max=v1.constant(high, name=f"{name}_high"),
        out_type=out_type or _FUSED_TYPE.get(op, "quint8").name,
        name=name,
    )


def floats(narrow):
    import tensorflow as tf

    tf.raw_ops.Dequantize(input=narrow[0], min_range=narrow[1], max_range=narrow[2], mode="SCALED", name="output")


def one(op, low, high, **options):
    return build(lambda v1: floats(conv(v1, op, low, high, **options)))


def answer(graph_def):
    """The ops are oneDNN's; only the session with Grappler's default puts them in."""
    import tensorflow as tf

    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.graph_util.import_graph_def(graph_def, name="")
        return session.run("output:0", {"x:0": X["x"]})


def assert_fused(before, op, steps):
    after = transform(before, ["x"], ["output"], FUSE)
    assert ops(after)[f"{op}AndRequantize"] == ops(before)["Requantize"]
    assert not {"Requantize", op} & set(ops(after))
    a, b = answer(before), answer(after)
    assert np.abs(a - b).max() <= steps * max(np.abs(a).max(), 1)
    return after


@pytest.mark.parametrize("op", _FUSED_TYPE)
def test_fuses(op):
    low = 0.0 if "Relu" in op else -20.0
    before = one(op, low, 20.0)
    after = assert_fused(before, op, 1.01 / 127)
    assert inputs_of(after, "narrow")[-2:] == ["narrow_low", "narrow_high"]
    assert len(after.node) == len(before.node) - 1
    assert [i.split(":")[0] for i in inputs_of(after, "output")] == ["narrow"] * 3


@pytest.mark.parametrize(("op", "wanted"), [("QuantizedConv2DWithBias", -20), ("QuantizedConv2DWithBiasAndRelu", 0)])
def test_limits_become_those_of_the_numbers(op, wanted):
    after = transform(one(op, -4.0, 20.0), ["x"], ["output"], FUSE)
    assert "narrow/min" in inputs_of(after, "narrow")
    exact = answer(one(op, float(wanted), 20.0))
    assert np.abs(answer(after) - exact).max() <= 20 / 127 * 1.01


def test_chain():
    def make(v1):
        first = conv(v1, "QuantizedConv2DWithBiasAndRelu", 0.0, 20.0, name="first")
        floats(conv(v1, "QuantizedConv2DWithBiasAndRelu", 0.0, 60.0, x=first))

    after = assert_fused(build(make), "QuantizedConv2DWithBiasAndRelu", 2.5 / 255)
    assert inputs_of(after, "narrow")[0] == "first"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"op": "QuantizedConv2D", "low": -9.0, "min_input": -1.0}, "lowest value"),
        ({"op": "QuantizedConv2D", "low": 0.0, "out_type": "quint8"}, "gives qint8 alone"),
        ({"op": "QuantizedConv2DWithBiasAndRelu", "low": -2.0, "high": -1.0}, "above 0"),
    ],
)
def test_declines(options, reason):
    before = one(**{"high": 9.0, **options})
    assert ops(transform(before, ["x"], ["output"], FUSE)) == ops(before)
    assert reason in notes(before, ["x"], ["output"], FUSE)


def test_declines_results_that_are_read_elsewhere_and_measured_ranges():
    before = one("QuantizedConv2D", -9.0, 9.0)
    after = transform(before, ["x"], ["output", "narrow_conv:1"], FUSE)
    assert ops(after) == ops(before)
    node(before, "narrow").input[3] = "narrow_conv:1"
    assert "not constant" in notes(before, ["x"], ["output"], FUSE)


def test_declines_quint8_kernels_of_quantize_nodes():
    def make(v1):
        x = v1.placeholder("float32", [1, 4, 4, 2], name="x")
        v1.nn.conv2d(x, v1.constant(np.ones((3, 3, 2, 2), np.float32)), 1, "SAME", name="output")

    quantized = transform(build(make), ["x"], ["output"], "quantize_nodes(fallback_min=-9, fallback_max=9)")
    assert ops(transform(quantized, ["x"], ["output"], FUSE)) == ops(quantized)
    assert "qint8 kernels" in notes(quantized, ["x"], ["output"], FUSE)


def test_control_inputs_stay():
    before = one("QuantizedConv2D", -20.0, 20.0)
    node(before, "narrow_conv").input.append("^x")
    after = transform(before, ["x"], ["output"], FUSE)
    assert "^x" in node(after, "narrow").input
    assert "narrow_conv" not in names(after)
