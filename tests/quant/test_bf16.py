"""compute_in_bfloat16: which ops, at which borders, what stays and why, traps."""

import ml_dtypes
import numpy as np
import pytest

from tests.harness import parse, random_feeds, run
from tests.passes.graphs import built
from tests.quant.precision import BF16, NO_BF16, assert_close, convert, count, ops_in, types
from tests.traps import TRAPS
from tfpare.ir.graph import Graph
from tfpare.passes.base import PassOptions
from tfpare.precision import ops
from tfpare.precision.costs import is_fused, saved_ns
from tfpare.quant.options import QuantOptions

PASS = "compute_in_bfloat16"
IMAGE = "x = input(float32[2,16,16,64])\nk = const(float32[3,3,64,64])\nb = const(float32[64])\n"
CONV = IMAGE + "c = Conv2D(x, k, strides=[1,1,1,1], padding=SAME)\n"
SECOND = "k2 = const(float32[3,3,64,64])\n{} = Conv2D({}, k2, strides=[1,1,1,1], padding=SAME)\n"
CONTRACTIONS = {
    "Conv2D": CONV + "return c",
    "DepthwiseConv2dNative": IMAGE.replace("[3,3,64,64]", "[15,15,64,1]")
    + "c = DepthwiseConv2dNative(x, k, strides=[1,1,1,1], padding=SAME)\nreturn c",
    "Conv3D": "x = input(float32[1,4,8,8,32])\nk = const(float32[3,3,3,32,32])\n"
    "c = Conv3D(x, k, strides=[1,1,1,1,1], padding=SAME)\nreturn c",
    "Conv2DBackpropInput": "s = const(int32, [2,32,32,64])\n" + IMAGE
    + "c = Conv2DBackpropInput(s, k, x, strides=[1,2,2,1], padding=SAME)\nreturn c",
    "MatMul": "x = input(float32[16,256])\nk = const(float32[256,512])\nc = MatMul(x, k)\nreturn c",
    "BatchMatMulV2": "x = input(float32[4,128,256])\nk = const(float32[256,128])\nc = BatchMatMulV2(x, k)\nreturn c",
    "Einsum": "x = input(float32[4,32,256])\nk = const(float32[256,4,64])\n"
    "c = Einsum(x, k, equation='abc,cde->abde')\nreturn c",
}  # fmt: skip
# Ops between two convolutions, so that staying in bfloat16 is worth it.
BETWEEN = {
    "Relu": "y = Relu(c0)", "Relu6": "y = Relu6(c0)", "BiasAdd": "y = BiasAdd(c0, b)", "LeakyRelu": "y = LeakyRelu(c0)",
    "Elu": "y = Elu(c0)", "Tanh": "y = Tanh(c0)", "AddV2": "y = AddV2(c0, c0)", "Mul": "y = Mul(c0, b)",
    "Maximum": "y = Maximum(c0, b)",
    "MaxPool": "y = MaxPool(c0, ksize=[1,3,3,1], strides=[1,1,1,1], padding=SAME)",
    "AvgPool": "y = AvgPool(c0, ksize=[1,3,3,1], strides=[1,1,1,1], padding=SAME)",
    "Pad": "p = const(int32, [[0,0],[1,1],[1,1],[0,0]])\ny = Pad(c0, p)",
    "Transpose": "p = const(int32, [0,2,1,3])\ny = Transpose(c0, p)",
    "Reshape": "p = const(int32, [2,8,32,64])\ny = Reshape(c0, p)",
    "Identity": "y = Identity(c0)",
}  # fmt: skip


def converted(source: str, tolerance: float = BF16) -> Graph:
    graph = parse(source)
    convert(PASS, graph)
    assert_close(parse(source), graph, tolerance)
    return graph


@pytest.mark.parametrize("op", CONTRACTIONS)
def test_contraction_is_computed_in_bfloat16(op):
    graph = converted(CONTRACTIONS[op])
    assert ops_in(graph, "bfloat16") == {op}
    assert count(graph, "Cast") == 2
    assert all(n.out().constant is None or n.dtypes[0].name != "float32" for n in graph)


@pytest.mark.parametrize("op", BETWEEN)
def test_what_is_between_contractions_goes_along(op):
    graph = converted(CONV + "c0 = BiasAdd(c, b)\n" + BETWEEN[op] + "\n" + SECOND.format("z", "y") + "return z")
    assert ops_in(graph, "bfloat16") == {"Conv2D", "BiasAdd", op}
    assert count(graph, "Cast") == 2


@pytest.mark.parametrize(
    "source",
    [
        "y = Softmax(c)",
        "y = Exp(t)",
        "t2 = Abs(t)\ny = Log(t2)",
        "axes = const(int32, [1,2])\ny = Sum(c, axes)",
        "axes = const(int32, [3])\ny = Mean(c, axes, keep_dims=True)",
        "axes = const(int32, [1,2])\nm = Mean(c, axes, keep_dims=True)\ny = SquaredDifference(c, m)",
        "axis = const(int32, 3)\ny = ArgMax(c, axis)",
        "y = Greater(c, b)",
    ],
)
def test_what_needs_more_bits_stays(source):
    graph = parse(CONV + ("t = Tanh(c)\n" if "(t)" in source else "") + source + "\nreturn y")
    convert(PASS, graph)
    assert "Conv2D" in ops_in(graph, "bfloat16")
    assert ops_in(graph, "bfloat16").isdisjoint({"Mean", *ops.UNSAFE})
    assert graph.outputs["y:0"].node.op == source.rpartition("= ")[2].partition("(")[0]


NORM = CONV + "g = const(float32[64])\nn = FusedBatchNormV3(c, g, b, b, g, is_training={})\nr = Relu(n)\n"


def test_a_batch_norm_of_inference_goes_along():
    """As it stays where it cannot be folded: a second reader of the convolution, a Relu before the next."""
    graph = converted(NORM.format("false") + SECOND.format("d", "r") + "e = AddV2(c, d)\nreturn e")
    assert "FusedBatchNormV3" in ops_in(graph, "bfloat16")
    assert count(graph, "Cast") == 2
    norm = next(n for n in graph if n.op == "FusedBatchNormV3")
    assert [v.dtype.name for v in norm.inputs] == ["bfloat16", *["float32"] * 4]


def test_a_batch_norm_of_training_stays():
    empty = NORM.replace("b, b, g", "e, e, e").replace("g = ", "e = const(float32[0])\ng = ")
    graph = parse(empty.replace("c, g, e", "c, g, b").format("true") + "return r")
    result = convert(PASS, graph)
    assert "FusedBatchNormV3" not in ops_in(graph, "bfloat16")
    assert any("statistics of a normalization need more bits" in reason for reason in result.declined)


def test_what_is_named_stays_in_float32():
    graph = parse(CONV + SECOND.format("d", "c") + "return d")
    options = PassOptions(int8=QuantOptions(precisions={"d*": "fp32", "c": "bf16"}))
    result = convert(PASS, graph, options)
    assert types(graph)["d"] == "float32"
    assert "Conv2D" in ops_in(graph, "bfloat16")
    assert result.examples["float32 was asked for"] == "d"


def test_pooling_by_mean_stays_in_bfloat16():
    graph = converted(CONV + "axes = const(int32, [1,2])\ny = Mean(c, axes)\nreturn y")
    assert "Mean" in ops_in(graph, "bfloat16")


def test_kernels_are_rounded_so_that_sums_stay():
    graph = parse("x = input(float32[64,64])\nk = const(float32[64,512])\nc = MatMul(x, k)\nreturn c")
    kernel = graph.nodes["k"].out().constant
    assert kernel is not None
    convert(PASS, graph)
    stored = next(n.out().constant for n in graph if n.op == "Const")
    assert stored is not None
    assert stored.dtype == ml_dtypes.bfloat16
    nearest = kernel.astype(ml_dtypes.bfloat16)
    error, other = (np.abs(k.astype(np.float64).sum(0) - kernel.sum(0, dtype=np.float64)) for k in (stored, nearest))
    assert error.mean() < other.mean() / 4
    assert 0 < (stored != nearest).mean() < 0.15


def test_other_constants_are_rounded_to_nearest_even():
    source = "x = input(float32[1,64,64,64])\nk = const(float32[3,3,64,64])\nb = const(float32[64])\n"
    source += 'c = Conv2D(x, k, strides=[1,1,1,1], padding="SAME")\ny = BiasAdd(c, b)\nreturn y'
    graph = parse(source)
    bias = graph.nodes["b"].out().constant
    assert bias is not None
    bias[:4] = [1.00390625, 1.01171875, 1e-45, 3e38]  # two halfway cases, a denormal, a large value
    convert(PASS, graph)
    stored = next(a for n in graph if n.op == "Const" and (a := n.out().constant) is not None and a.ndim == 1)
    assert stored.dtype == ml_dtypes.bfloat16
    assert [float(v) for v in stored[:2]] == [1.0, 1.015625]
    np.testing.assert_array_equal(stored, bias.astype(ml_dtypes.bfloat16))


def test_a_finite_constant_does_not_become_infinite():
    source = "x = input(float32[64,64])\nk = const(float32[64,512])\nc = MatMul(x, k)\nreturn c"
    graph = parse(source)
    kernel = graph.nodes["k"].out().constant
    assert kernel is not None
    kernel[0, 0] = np.finfo(np.float32).max
    assert convert(PASS, graph).declined["a constant is beyond the range of bfloat16"] == 1


def test_values_beyond_float16_pass():
    source = "x = input(float32[64,64])\nk = const(float32[64,512])\nc = MatMul(x, k)\nreturn c"
    graph = parse(source)
    convert(PASS, graph)
    assert_close(parse(source), graph, BF16, {"x:0": np.full((64, 64), 1e20, np.float32)})


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_special_values_stay(value):
    source = CONV + "y = Relu(c)\nreturn y"
    graph = parse(source)
    convert(PASS, graph)
    feeds = random_feeds(graph)
    feeds["x:0"][0, 3, 3] = value
    for y in (run(parse(source), feeds)["y:0"], run(graph, feeds)["y:0"]):
        assert np.isnan(y[1]).sum() == 0
        assert not np.isfinite(y[0, 3, 3]).all()


def test_a_product_that_saves_less_than_its_casts_stays():
    graph = parse("x = input(float32[1,8])\nk = const(float32[8,4])\nc = MatMul(x, k)\nreturn c")
    result = convert(PASS, graph)
    assert types(graph) == {"c": "float32"}
    assert result.declined["it would save less time than its Casts take"] == 1
    assert result.notes == ["bfloat16: nothing would gain from it, the model stays as it is"]


def test_activations_that_are_not_fused_cost_time():
    graph = parse(CONV + "a = BiasAdd(c, b)\ns = AddV2(a, x)\nr = Relu(s)\nt = Tanh(r)\nreturn t")
    assert all(is_fused(graph, graph.nodes[n]) for n in "asr")
    assert not is_fused(graph, graph.nodes["t"])
    assert saved_ns(graph, graph.nodes["t"]) < 0 < saved_ns(graph, graph.nodes["c"])
    shared = parse(CONV + "a = BiasAdd(c, b)\nr = Relu(a)\nreturn r, a")
    assert not is_fused(shared, shared.nodes["r"])


def test_a_gelu_behind_a_dense_layer_goes_along():
    source = (
        "x = input(float32[16,256])\nk = const(float32[256,512])\np = MatMul(x, k)\nb = const(float32[512])\n"
        "r = BiasAdd(p, b)\nh = const(float32, 0.5)\nm = Mul(r, h)\nn = Neg(r)\nc = const(float32, 0.70710677)\n"
        "q = Mul(n, c)\ne = Erfc(q)\nz = Mul(m, e)\nk2 = const(float32[512,256])\ny = MatMul(z, k2)\nreturn y"
    )
    graph = converted(source)
    assert ops_in(graph, "bfloat16") == {"MatMul", "BiasAdd", "Mul", "Neg", "Erfc"}
    alone = parse(source.replace("BiasAdd(p, b)", "Softmax(p)"))
    assert saved_ns(alone, alone.nodes["e"]) < 0


def test_unknown_rank_stays():
    graph = parse("x = input(float32[*])\ny = Relu(x)\nk = const(float32[64,64])\nc = MatMul(y, k)\nreturn c")
    convert(PASS, graph)
    assert types(graph).get("y") == "float32"


def test_names_keep_their_values():
    graph = parse(CONV + "a = BiasAdd(c, b)\nr = Relu(a)\ns = Softmax(r)\nreturn s, r")
    convert(PASS, graph)
    assert graph.outputs["r:0"].node.op == "Cast"
    assert graph.outputs["r:0"].node.name == "r"
    assert graph.nodes["s"].inputs[0] == graph.outputs["r:0"]


# Nothing is padded: whether the zeros around an image meet an infinity in a kernel (0 · ∞) is up to each type's kernel.
TRAPPED = (
    CONV
    + "a = BiasAdd(c, b)\nr = Relu6(a)\n"
    + SECOND.format("d", "r").replace("[3,3,", "[1,1,")
    + "s = AddV2(d, r)\naxis = const(int32, 3)\nt = Mean(s, axis)\nreturn t"
).replace("SAME", "VALID")


def test_what_the_traps_are_sprung_on_is_converted():
    graph = parse(TRAPPED)
    convert(PASS, graph)
    assert {"Conv2D", "BiasAdd", "Relu6"} <= ops_in(graph, "bfloat16")
    assert [n.dtypes[0].name for n in graph if n.op == "Conv2D"] == ["bfloat16", "bfloat16"]


@pytest.mark.parametrize("trap", TRAPS)
def test_trap_keeps_answers(trap):
    for position in range(len(parse(TRAPPED))):
        graph, original = parse(TRAPPED), parse(TRAPPED)
        if TRAPS[trap](graph, list(graph)[position]):
            assert TRAPS[trap](original, list(original)[position])
            convert(PASS, graph)
            assert_close(original, graph, 0.2 if trap == "nan_and_inf_in_constant" else 6e-2)


def test_a_fed_value_can_be_replaced():
    graph, original = parse(TRAPPED), parse(TRAPPED)
    graph.fed.add(graph.nodes["r"].out())
    assert convert(PASS, graph).declined["a caller feeds it"] == 1
    feeds = random_feeds(original) | {"r:0": np.random.default_rng(1).normal(size=(2, 14, 14, 64)).astype(np.float32)}
    assert_close(original, graph, 6e-2, feeds)


def test_loops_of_tf1_are_converted_inside():
    def build(tf1):
        x = tf1.placeholder(tf1.float32, [64, 256], "x")

        def body(i, v):
            w = tf1.constant(np.random.default_rng(0).normal(size=(256, 256)).astype(np.float32) / 16)
            return i + 1, tf1.tanh(tf1.matmul(v, w))

        return tf1.while_loop(lambda i, v: i < 3, body, [0, x])[1]

    graph, original = built(build), built(build)
    convert(PASS, graph)
    assert "MatMul" in ops_in(graph, "bfloat16")
    assert {"Enter", "Merge", "Exit", "Switch", "NextIteration"}.isdisjoint(ops_in(graph, "bfloat16"))
    assert_close(original, graph, BF16, {"x:0": np.random.default_rng(1).normal(size=(64, 256)).astype(np.float32)})


def test_every_op_has_a_kernel():
    import tensorflow as tf
    from tensorflow.python.framework import kernels

    unlimited = {"Reshape", "ExpandDims", "Tile", "Squeeze", "Identity", "StopGradient", "Snapshot"}
    for op in sorted(ops.CANDIDATES - unlimited):
        found = [k for k in kernels.get_registered_kernels_for_op(op).kernel if k.device_type == "CPU"]
        allowed = [set(c.allowed_values.list.type) for k in found for c in k.constraint]
        assert any(tf.bfloat16.as_datatype_enum in a for a in allowed), op


FUSED = {
    "bias and relu": ("a = BiasAdd(c, b)\ny = Relu(a)", "BiasAdd Relu"),
    "bias and relu6": ("a = BiasAdd(c, b)\ny = Relu6(a)", "BiasAdd Relu6"),
    "bias, sum and relu": (
        "b1 = BiasAdd(c, b)\nr = Relu(b1)\n"
        + SECOND.format("d", "r")
        + "a = BiasAdd(d, b)\ns = AddV2(a, r)\ny = Relu(s)",
        "BiasAdd Add Relu",
    ),
}


@NO_BF16
@pytest.mark.parametrize("case", FUSED)
def test_tensorflow_fuses_it_at_run_time(case):
    import tensorflow as tf
    from tensorflow.core.framework import graph_pb2

    from tfpare.io import graphdef

    lines, wanted = FUSED[case]
    graph, written = parse(CONV + lines + "\nreturn y"), graph_pb2.GraphDef()
    convert(PASS, graph)
    written.versions.producer = graph.producer
    graphdef.write_nodes(graph, written)
    metadata = tf.compat.v1.RunMetadata()
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.graph_util.import_graph_def(written, name="")
        trace = tf.compat.v1.RunOptions(output_partition_graphs=True)
        session.run("y:0", random_feeds(graph), options=trace, run_metadata=metadata)
    nodes = [n for g in metadata.partition_graphs for n in g.node if "FusedConv2D" in n.op]
    assert wanted in [" ".join(f.decode() for f in n.attr["fused_ops"].list.s) for n in nodes]
    assert len(nodes) == lines.count("Conv2D") + 1
    assert nodes[0].attr["T"].type == tf.bfloat16.as_datatype_enum
