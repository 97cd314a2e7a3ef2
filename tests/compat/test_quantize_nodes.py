"""quantize_nodes: 8-bit ops that answer nearly the same, and float ops where they would not."""

import numpy as np
import pytest

from tests.compat.helpers import (
    build,
    called,
    feeds_for,
    inputs_of,
    names,
    node,
    notes,
    ops,
    run,
    transform,
    worst_error,
    written,
)
from tfpare.compat.eightbit.fake_quants import effective_range
from tfpare.compat.eightbit.ops import can_broadcast
from tfpare.errors import UsageError
from tfpare.ir.types import Shape

QUANTIZE = "quantize_nodes"
X = "x = input(float32[2,3])\n"


def quantized(before, *call, outputs=("output",), inputs=None):
    placeholders = [n.name for n in before.node if n.op == "Placeholder"]
    return transform(before, placeholders if inputs is None else inputs, list(outputs), *(call or (QUANTIZE,)))


def assert_quantized(source, op, tolerance=0.05, absent=()):
    """Every float op of the source goes, and answers differ by no more than `tolerance`."""
    before = written(source)
    after = quantized(before)
    assert ops(after)[op] >= 1
    assert not set(absent) & set(ops(after)), ops(after)
    assert worst_error(before, after, feeds_for(before), "output") <= tolerance
    return after


def assert_float(source, reason, feed=True):
    """Nothing changes, and the user is told why."""
    before = written(source)
    after = quantized(before)
    assert ops(after) == ops(before)
    assert reason in notes(before, ["x"], ["output"], QUANTIZE)
    if feed:
        assert worst_error(before, after, feeds_for(before), "output") == 0


TABLE = {
    "QuantizedMatMul": "k = const(float32[3,4])\noutput = MatMul(x, k)",
    "QuantizedAdd": "k = const(float32[3])\noutput = Add(x, k)",
    "QuantizedMul": "k = const(float32[3])\noutput = Mul(x, k)",
    "QuantizedBiasAdd": "k = const(float32[3])\noutput = BiasAdd(x, k)",
    "QuantizedRelu": "output = Relu(x)",
    "QuantizedRelu6": "output = Relu6(x)",
    "QuantizedReshape": "k = const(int32, [3, 2])\noutput = Reshape(x, k)",
}


@pytest.mark.parametrize("op", TABLE)
def test_matrix_ops(op):
    float_op = op.removeprefix("Quantized")
    after = assert_quantized(f"x = input(float32[2,3])\n{TABLE[op]}\nreturn output", op)
    assert node(after, "output").op == "Dequantize"
    assert node(after, "output/eightbit").op == op
    assert float_op not in {n.op for n in after.node if not n.name.startswith("output_eightbit/")}


def test_names_and_structure_of_a_32_bit_op():
    before = written("x = input(float32[2,3])\nk = const(float32[3,4])\noutput = MatMul(x, k)\nreturn output")
    after = quantized(before)
    assert inputs_of(after, "output") == [f"output/eightbit/requantize{p}" for p in ("", ":1", ":2")]
    assert inputs_of(after, "output/eightbit/requantize")[3:] == [
        f"output/eightbit/requant_range{p}" for p in ("", ":1")
    ]
    assert inputs_of(after, "output/eightbit") == [
        *("output_eightbit/x/quantize", "output_eightbit/k/quantize"),
        *(f"output_eightbit/{i}/quantize:{p}" for i in "xk" for p in (1, 2)),
    ]
    assert inputs_of(after, "output_eightbit/x/quantize") == ["x", "output_eightbit/x/min", "output_eightbit/x/max"]
    for end in ("min", "max"):
        wanted = ["output_eightbit/x/reshape", "output_eightbit/x/reduction_dims"]
        assert inputs_of(after, f"output_eightbit/x/{end}") == wanted
    assert inputs_of(after, "output_eightbit/x/reshape") == ["x", "output_eightbit/x/reshape_dims"]
    assert inputs_of(after, "output_eightbit/x/reshape_dims") == ["^x"]
    assert len(after.node) == 18


@pytest.mark.parametrize("ignored", [(), ("MatMul",), ("MatMul", "Mul")])
def test_ignored_ops_stay(ignored):
    before = written(
        X + "k = const(float32[3,4])\nm = MatMul(x, k)\nc = const(float32[4])\noutput = Mul(m, c)\nreturn output"
    )
    call = f"quantize_nodes({', '.join(f'ignore_op={op}' for op in ignored)})" if ignored else QUANTIZE
    after = quantized(before, call)
    for op in ("MatMul", "Mul"):
        assert ops(after)[op] == (op in ignored)
        assert ops(after)[f"Quantized{op}"] == (op not in ignored)
    assert worst_error(before, after, feeds_for(before), "output") < 0.2


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ([[3.0]], [[1.0, 5.0]]),
        ([[2.0]], [[4.0, 4.0]]),
        ([[0.0]], [[0.0, 0.0]]),
        ([[1.0, 2, 3], [4, 5, 6]], [[7.0, 8, 9, 10], [11, 12, 13, 14], [15, 16, 17, 18]]),
    ],
)
def test_small_products(a, b):
    def make(v1):
        v1.matmul(v1.constant(a), v1.constant(b), name="output")

    before = build(make)
    after = quantized(before)
    assert ops(after)["QuantizedMatMul"] == 1
    assert worst_error(before, after, {}, "output") < 1


@pytest.mark.parametrize("op", ["Add", "Mul", "AddV2"])
def test_broadcast_of_a_vector(op):
    def make(v1):
        x = v1.placeholder("float32", [10, 100], name="x")
        import tensorflow as tf

        getattr(tf.raw_ops, op)(x=x, y=v1.constant(np.arange(100, dtype=np.float32) - 27), name="output")

    before = build(make)
    after = quantized(before)
    assert op not in ops(after)
    assert worst_error(before, after, feeds_for(before), "output") < (4 if op == "Mul" else 1)


@pytest.mark.parametrize(
    ("a", "b", "fits"),
    [
        ((2, 3), (2, 3), True),
        ((2, 3), (3,), True),
        ((2, 3), (1, 3), True),
        ((2, 3), (), True),
        ((1, 1, 1), (2, 3), True),
        ((2, 3, 4), (3, 4), True),
        ((None, 4), (None, 4), True),
        ((None, 4), (4,), True),
        ((None, 3, 4), (1, 3, 4), True),
        (None, (), True),
        ((2, 3), (2, 1), False),
        ((4, 1), (1, 4), False),
        ((4, 1), (5,), False),
        ((2, 3, 4), (2, 1, 4), False),
        ((None, None, 4), (None, None, 4), False),
        ((None, 4), (4, 1), False),
        (None, (4,), False),
    ],
)
def test_known_broadcasts(a, b, fits):
    assert can_broadcast(Shape(a), Shape(b)) is fits
    assert can_broadcast(Shape(b), Shape(a)) is fits


def test_other_broadcasts_stay_float():
    source = "x = input(float32[4,5])\nk = const(float32[4,1])\noutput = AddV2(x, k)\nreturn output"
    assert_float(source, "may not know this broadcasting")


IMAGE = "x = input(float32[2,8,8,3])\n"


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("stride", [1, 2])
def test_conv(padding, stride):
    source = f"k = const(float32[3,3,3,4])\noutput = Conv2D(x, k, strides=[1,{stride},{stride},1], padding={padding})"
    assert_quantized(f"{IMAGE}{source}\nreturn output", "QuantizedConv2D", 0.5, ["Conv2D"])


def test_padding_of_an_odd_size():
    source = "x = input(float32[1,4,4,1])\nk = const(float32[3,3,1,1])\n"
    source += "output = Conv2D(x, k, strides=[1,2,2,1], padding=SAME)\nreturn output"
    assert_quantized(source, "QuantizedConv2D", 0.2, ["Conv2D"])


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ("strides=[1,1,1,1], padding=SAME, dilations=[1,2,2,1]", "dilations"),
        ("strides=[1,1,2,1], padding=SAME", "equal strides"),
        ("strides=[1,1,1,1], padding=EXPLICIT, explicit_paddings=[0,0,1,0,0,1,0,0]", "explicit padding"),
    ],
)
def test_convs_that_stay_float(attributes, reason):
    source = f"{IMAGE}k = const(float32[3,3,3,4])\noutput = Conv2D(x, k, {attributes})\nreturn output"
    assert_float(source, reason)


def test_grouped_and_perhaps_grouped_convs_stay_float():
    source = "k = const(float32[3,3,2,4])\noutput = Conv2D(x, k, strides=[1,1,1,1], padding=SAME)\nreturn output"
    assert_float(f"x = input(float32[1,4,4,4])\n{source}", "grouped")
    assert_float(f"x = input(float32[1,4,4,?])\n{source}", "grouped", feed=False)


@pytest.mark.parametrize("op", ["MaxPool", "AvgPool"])
def test_pools(op):
    source = f"output = {op}(x, ksize=[1,3,2,1], strides=[1,2,1,1], padding=SAME)\nreturn output"
    assert_quantized(f"{IMAGE}{source}", f"Quantized{op}", 0.05, [op])
    assert_float(
        f"{IMAGE}output = MaxPool(x, ksize=[1,1,1,3], strides=[1,1,1,3], padding=VALID)\nreturn output", "alone"
    )


def test_nchw_stays_float():
    assert_float(
        f"{IMAGE}k = const(float32[8])\noutput = BiasAdd(x, k, data_format=NCHW)\nreturn output", "data_format"
    )


@pytest.mark.parametrize("attribute", ["", ", half_pixel_centers=true", ", align_corners=true"])
def test_resize(attribute):
    source = f"{IMAGE}k = const(int32, [16, 13])\noutput = ResizeBilinear(x, k{attribute})\nreturn output"
    assert_quantized(source, "QuantizedResizeBilinear", 0.1, ["ResizeBilinear"])


@pytest.mark.parametrize("axis", [1, -1, -2])
def test_concat_v2(axis):
    source = f"x = input(float32[2,3])\nz = input(float32[2,3])\na = const(int32, {axis})\noutput = ConcatV2(x, z, a)\n"
    after = assert_quantized(source + "return output", "QuantizedConcat", 0.05, ["ConcatV2"])
    assert inputs_of(after, "output/eightbit")[0] == ("a" if axis >= 0 else "output/eightbit/axis")


def test_concat_v2_with_a_wide_axis_and_concat():
    source = X + "z = input(float32[2,3])\na = const(int64, 1)\noutput = ConcatV2(x, z, a)\n"
    assert_quantized(source + "return output", "QuantizedConcat", 0.05, ["ConcatV2"])
    source = X + "z = input(float32[2,3])\na = const(int32, 0)\noutput = Concat(a, x, z)\n"
    after = assert_quantized(source + "return output", "QuantizedConcat", 0.05, ["Concat"])
    assert inputs_of(after, "output/eightbit")[:3] == ["a", "output_eightbit/x/quantize", "output_eightbit/z/quantize"]


def test_concat_over_an_unknown_axis_stays_float():
    source = X + "a = input(int32)\noutput = ConcatV2(x, x, a)\nreturn output"
    before = written(source)
    assert ops(quantized(before)) == ops(before)


def test_other_types_stay():
    source = "x = input(float64[2,3])\nk = const(int32, [-1])\nr = Reshape(x, k)\noutput = Relu(r)\nreturn output"
    before = written(source)
    after = quantized(before)
    assert ops(after) == ops(before)
    source = (
        "x = input(float32[2,3])\ni = input(int32[2,3])\nk = const(int32, [-1])\nr = Reshape(i, k)\noutput = Relu(x)\n"
    )
    after = quantized(written(source + "return output, r"), outputs=("output", "r"))
    assert ops(after)["Reshape"] == 2  # the int32 one, and the one that finds the range
    assert ops(after)["QuantizedRelu"] == 1


def test_depthwise_stays_float_between_8_bit_ops():
    source = "r = Relu(x)\nk = const(float32[2,2,3,1])\n"
    source += "d = DepthwiseConv2dNative(r, k, strides=[1,1,1,1], padding=SAME)\noutput = Relu6(d)\nreturn output"
    assert_quantized(IMAGE + source, "QuantizedRelu6", 0.1, ["Relu", "Relu6"])


def test_empty_tensors_stay_float():
    assert_float("x = input(float32[0,3])\noutput = Relu(x)\nreturn output", "empty")


def test_8_bits_flow_between_ops():
    source = X + "r = Relu(x)\nk = const(float32[3])\nb = BiasAdd(r, k)\noutput = Relu6(b)\nreturn output"
    after = assert_quantized(source, "QuantizedBiasAdd", 0.1)
    assert ops(after)["Dequantize"] == 1
    assert ops(after)["QuantizeV2"] == 2
    assert inputs_of(after, "b/eightbit")[0] == "r/eightbit"


def test_float_reader_keeps_its_floats():
    source = X + "r = Relu(x)\noutput = Relu6(r)\nt = Tanh(r)\nreturn output, t"
    after = quantized(written(source), outputs=("output", "t"))
    assert ops(after)["Dequantize"] == 2
    assert inputs_of(after, "t") == ["r"]
    assert inputs_of(after, "output/eightbit")[0] == "r/eightbit"


def test_equal_quantizations_are_one():
    source = X + "a = Relu(x)\nb = Relu6(x)\nreturn a, b"
    assert ops(quantized(written(source), outputs=("a", "b")))["QuantizeV2"] == 1


def test_one_tensor_read_twice():
    after = assert_quantized("x = input(float32[2,3])\noutput = Add(x, x)\nreturn output", "QuantizedAdd")
    assert ops(after)["QuantizeV2"] == 1


def test_second_output_of_a_node():
    source = "x = input(float32[4,3])\na = const(int32, 0)\ns, t = Split(a, x, num_split=2)\noutput = Add(s, t)\n"
    source += "return output"
    after = assert_quantized(source, "QuantizedAdd")
    assert "output_eightbit/s__port__1/quantize" in names(after)


def test_control_inputs_stay_control_inputs():
    source = X + "z = input(float32[2,3])\noutput = Relu(x, ^z)\nreturn output"
    after = assert_quantized(source, "QuantizedRelu")
    assert "^z" in node(after, "output").input
    assert ops(after)["QuantizeV2"] == 1


def test_fed_and_fetched_values():
    source = X + "r = Relu(x)\noutput = Relu6(r)\nreturn output"
    before = written(source)
    after = quantized(before, inputs=["x", "r"])
    feed = {"r": np.array([[-3.0, 1, 2], [4, 5, 8]], np.float32)}
    assert worst_error(before, after, feed, "output") < 0.05
    after = quantized(before, outputs=("output", "r:0"))
    assert worst_error(before, after, feeds_for(before), "r") < 0.05


def test_twice_is_once():
    before = written("x = input(float32[2,3])\nr = Relu(x)\noutput = Relu6(r)\nreturn output")
    once = quantized(before)
    assert ops(quantized(before, QUANTIZE, QUANTIZE)) == ops(once)


# -- values of which all are negative -------------------------------------------------------------------------------


def test_rectifier_of_negative_sums():
    def make(v1):
        x = v1.placeholder("float32", [4, 6], name="x")
        y = v1.nn.relu(v1.nn.bias_add(x, v1.constant([-10.0] * 6)))
        v1.matmul(y, v1.constant(np.ones((6, 3), np.float32)), name="output")

    before = build(make)
    after = quantized(before)
    assert set(ops(after)) & {"BiasAdd", "Relu", "MatMul"} == set()
    assert worst_error(before, after, feeds_for(before), "output") == 0


def test_rectifier_whose_sum_is_read_elsewhere():
    source = X + "k = const(float32, [-10, -11, -12])\nb = BiasAdd(x, k)\noutput = Relu(b)\nt = Relu6(b)\n"
    before = written(source + "return output, t")
    after = quantized(before, outputs=("output", "t"))
    assert worst_error(before, after, feeds_for(before), "output") == 0
    assert worst_error(before, after, feeds_for(before), "t") == 0


def test_padding_of_negative_pools():
    def make(v1):
        x = v1.placeholder("float32", [1, 4, 4, 2], name="x")
        y = v1.nn.max_pool2d(v1.nn.bias_add(x, v1.constant([-10.0, -12.0])), 2, 2, "SAME")
        kernel = np.random.default_rng(0).normal(size=(3, 3, 2, 3)).astype(np.float32)
        v1.nn.conv2d(y, v1.constant(kernel), 1, "SAME", name="output")

    before = build(make)
    after = quantized(before)
    assert set(ops(after)) & {"BiasAdd", "MaxPool", "Conv2D"} == set()
    assert worst_error(before, after, feeds_for(before), "output") < 1


# -- ranges from arguments ------------------------------------------------------------------------------------------


def test_quantized_placeholders():
    before = written("x = input(float32[2,3])\ni = input(int32[2])\noutput = Relu(x)\nreturn output, i")
    after = quantized(before, "quantize_nodes(input_min=-10, input_max=10)", outputs=("output",))
    assert node(after, "x").attr["dtype"].type == 12  # quint8
    assert node(after, "i").attr["dtype"].type == 3
    assert [n.name for n in after.node if "x" in n.input] != ["output"]
    x = np.array([[-10, -5, 0], [1, 5, 10]], np.float32)
    in_bits = {"x": np.round((x + 10) / 20 * 255).astype(np.uint8)}
    assert worst_error(before, after, {"x": x}, "output", in_bits) < 0.1


def test_input_range():
    def make(v1):
        x = v1.placeholder("float32", [100], name="x")
        v1.nn.bias_add(v1.constant(np.arange(100, dtype=np.float32)[None]), x, name="output")

    before = build(make)
    after = quantized(before, "quantize_nodes(input_min=0, input_max=100)")
    x = np.arange(100, dtype=np.float32)
    assert worst_error(before, after, {"x": x}, "output", {"x": np.round(x / 100 * 255).astype(np.uint8)}) < 1


def test_input_range_without_zero_pads_with_zero():
    def make(v1):
        x = v1.placeholder("float32", [1, 3, 3, 1], name="x")
        v1.nn.conv2d(x, v1.ones([3, 3, 1, 1]), 1, "SAME", name="output")

    before = build(make)
    after = quantized(before, "fold_constants", "quantize_nodes(input_min=10, input_max=20)")
    x = np.full((1, 3, 3, 1), 15, np.float32)
    assert worst_error(before, after, {"x": x}, "output", {"x": np.full(x.shape, 128, np.uint8)}) < 1.5


def test_requested_placeholder_stays_float():
    before = written("x = input(float32[2,3])\noutput = Relu(x)\nreturn output")
    after = quantized(before, "quantize_nodes(input_min=0, input_max=1)", outputs=("output", "x"))
    assert node(after, "x").attr["dtype"].type == 1


def test_fallback_range():
    source = X + "k = const(float32[3])\nb = BiasAdd(x, k)\nl = const(float32[3,4])\n"
    source += "output = MatMul(b, l)\n"
    before = written(source + "return output")
    after = quantized(before, "quantize_nodes(fallback_min=-20, fallback_max=20)")
    assert "RequantizationRange" not in ops(after)
    assert sorted(run(after, {}, n)[0] for n in names(after) if "fallback" in n) == [-20, 20]
    assert worst_error(before, after, feeds_for(before), "output") < 2


@pytest.mark.parametrize(
    "arguments",
    ["input_min=0", "input_max=1", "fallback_min=0", "input_min=2, input_max=1", "fallback_min=1, fallback_max=2"],
)
def test_half_and_impossible_ranges_are_refused(arguments):
    before = written("x = input(float32[2,3])\noutput = Relu(x)\nreturn output")
    with pytest.raises(UsageError, match="_m"):
        quantized(before, f"quantize_nodes({arguments})")


# -- trained ranges -------------------------------------------------------------------------------------------------

LIMITS = "lo = const(float32, 0)\nhi = const(float32, 18)\n"
BIASED = "x = input(float32[1,2,2,6])\nk = const(float32[6])\nba = BiasAdd(x, k)\n"


def test_fake_quant_becomes_the_range_of_the_sum():
    source = f"{BIASED}{LIMITS}output = FakeQuantWithMinMaxVars(ba, lo, hi)\nreturn output"
    after = assert_quantized(source, "QuantizedBiasAdd", 0.1, ["FakeQuantWithMinMaxVars", "RequantizationRange"])
    assert ops(after)["Requantize"] == 1
    assert inputs_of(after, "output_eightbit/requantize") == [
        "ba/eightbit",
        "ba/eightbit:1",
        "ba/eightbit:2",
        "lo",
        "hi",
    ]


def test_fake_quant_of_a_float_op():
    source = f"x = input(float32[2,3])\n{LIMITS}t = Tanh(x)\noutput = FakeQuantWithMinMaxVars(t, lo, hi)\nreturn output"
    after = assert_quantized(source, "Requantize", 0.08, ["FakeQuantWithMinMaxVars"])
    assert inputs_of(after, "output_eightbit/quantize") == ["t", "lo", "hi"]


def test_fake_quant_moves_over_rectifier_and_pool():
    source = (
        f"{BIASED}{LIMITS}relu = Relu(ba)\npool = MaxPool(relu, ksize=[1,2,2,1], strides=[1,1,1,1], padding=SAME)\n"
    )
    source += "output = FakeQuantWithMinMaxVars(pool, lo, hi)\nreturn output"
    after = assert_quantized(source, "QuantizedMaxPool", 0.1, ["FakeQuantWithMinMaxVars", "RequantizationRange"])
    assert ops(after)["Requantize"] == 1
    assert inputs_of(after, "output_hoisted_eightbit/requantize")[3:] == ["lo", "hi"]
    assert inputs_of(after, "relu/eightbit")[0] == "output_hoisted_eightbit/requantize"
    assert node(after, "output/eightbit").op == "QuantizedMaxPool"


@pytest.mark.parametrize("op", ["Sigmoid", "Tanh", "Neg", "Exp"])
def test_fake_quant_does_not_move_over_other_ops(op):
    source = f"{BIASED}lo = const(float32, -1)\nhi = const(float32, 1)\n"
    source += f"s = {op}(ba)\noutput = FakeQuantWithMinMaxVars(s, lo, hi)\nreturn output"
    assert_quantized(source, "QuantizedBiasAdd", 0.06, ["FakeQuantWithMinMaxVars"])


def test_fake_quant_does_not_move_over_what_is_read_elsewhere():
    source = f"{BIASED}{LIMITS}r = Relu(ba)\noutput = FakeQuantWithMinMaxVars(r, lo, hi)\nt = Tanh(r)\nreturn output, t"
    before = written(source)
    after = quantized(before, outputs=("output", "t"))
    assert "output_hoisted" not in names(after)
    assert worst_error(before, after, feeds_for(before), "output") < 0.15
    assert worst_error(before, after, feeds_for(before), "t") < 0.05


@pytest.mark.parametrize(("low", "high"), [(1, 3), (-3, -1), (-2, 0), (0, 6)])
def test_fake_quant_moves_its_range_to_zero_and_so_do_we(low, high):
    source = f"x = input(float32[5,7])\nlo = const(float32, {low})\nhi = const(float32, {high})\n"
    source += "output = FakeQuantWithMinMaxVars(x, lo, hi)\nreturn output"
    assert_quantized(source, "Requantize", 6 / 255 + 1e-3, ["FakeQuantWithMinMaxVars"])


def test_limits_of_fake_quant():
    assert effective_range(1, 3) == (0, 2)
    assert effective_range(-3, -1) == (-2, 0)
    assert effective_range(-3, 1) == (-3, 1)
    assert effective_range(1, 1) == (0, 1)
    assert effective_range(-1, -1) == (-1, 0)


def test_fake_quants_that_stay():
    head = "x = input(float32[2,3])\nlo = const(float32, -1)\nhi = const(float32, 1)\n"
    assert_float(f"{head}output = FakeQuantWithMinMaxVars(x, lo, hi, num_bits=4)\nreturn output", "number of bits")
    zero = "x = input(float32[2,3])\nlo = const(float32, 0)\n"
    assert_float(f"{zero}output = FakeQuantWithMinMaxVars(x, lo, lo)\nreturn output", "narrow")
    source = X + "lo = input(float32)\nhi = input(float32)\noutput = FakeQuantWithMinMaxVars(x, lo, hi)\n"
    before = written(source + "return output")
    assert ops(quantized(before)) == ops(before)


# -- loops and functions --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", [QUANTIZE, "quantize_nodes(fallback_min=-5, fallback_max=5)"])
def test_while_loop(call):
    def make(v1):
        v1.disable_control_flow_v2()
        x = v1.placeholder("float32", [2, 6], name="x")
        weights = np.random.default_rng(0).normal(0, 0.3, (6, 6))

        def body(i, y):
            y = v1.nn.relu(v1.matmul(y, v1.constant(weights, "float32")))
            y = v1.quantization.fake_quant_with_min_max_vars(y, v1.constant(1.0), v1.constant(7.0))
            return i + 1, v1.concat([y[:, :3], y[:, 3:]], -1)

        v1.identity(v1.while_loop(lambda i, y: i < 3, body, [v1.constant(0), x])[1], name="output")

    before = build(make)
    after = quantized(before, call)
    assert {"QuantizedMatMul", "QuantizedRelu", "QuantizedConcat"} <= set(ops(after))
    assert worst_error(before, after, feeds_for(before), "output") < 0.3


def test_conditional():
    def make(v1):
        v1.disable_control_flow_v2()
        x = v1.placeholder("float32", [4], name="x")
        p = v1.placeholder("bool", [], name="p")
        k = v1.constant([1.0, 2.0, 3.0, 4.0])
        v1.identity(v1.cond(p, lambda: v1.nn.relu(x * k), lambda: v1.nn.relu6(x + k)), name="output")

    before = build(make)
    after = quantized(before)
    assert {"QuantizedMul", "QuantizedAdd"} <= set(ops(after))
    for p in (True, False):
        feeds = {"x": np.array([-2, 1, 2, 0.5], np.float32), "p": p}
        assert worst_error(before, after, feeds, "output") < 0.1


def test_functions_are_quantized():
    import tensorflow as tf

    before = build(lambda v1: called(v1, lambda x: tf.nn.relu(x * tf.constant([1.0, 2.0, -3.0, 4.0]))))
    after = quantized(before)
    inside = {n.op for f in after.library.function for n in f.node_def}
    assert {"QuantizedMul", "QuantizedRelu"} <= inside
    assert worst_error(before, after, {"x": np.array([-2, 1, 2, 0.5], np.float32)}, "output") < 0.1


def test_recipe():
    """The documented recipe for 8 bits, on a small classifier."""

    def make(v1):
        rng = np.random.default_rng(0)
        k1, k2, w = (rng.normal(0, 0.3, s).astype(np.float32) for s in ((3, 3, 3, 8), (3, 3, 8, 8), (32, 5)))
        x = v1.placeholder("float32", [1, 8, 8, 3], name="x")
        y = v1.nn.conv2d(x, v1.constant(k1), 2, "SAME")
        y = v1.nn.relu(v1.nn.bias_add(y, v1.constant(rng.normal(size=8).astype(np.float32))))
        y = v1.nn.relu6(v1.nn.conv2d(y, v1.constant(k2), 1, "SAME"))
        y = v1.reshape(v1.nn.max_pool2d(y, 2, 2, "VALID"), [1, 32])
        v1.nn.softmax(v1.matmul(y, v1.constant(w)), name="output")

    before = build(make)
    recipe = (
        "add_default_attributes strip_unused_nodes remove_nodes(op=Identity, op=CheckNumerics) "
        "fold_constants(ignore_errors=true) fold_batch_norms fold_old_batch_norms quantize_weights(minimum_size=64) "
        "quantize_nodes strip_unused_nodes sort_by_execution_order"
    )
    after = quantized(before, recipe)
    floats = {"Conv2D", "BiasAdd", "Relu", "Relu6", "MaxPool", "MatMul"}
    assert not floats & set(ops(after))
    assert ops(after)["Dequantize"] == 1
    assert worst_error(before, after, feeds_for(before), "output") < 0.15
