"""The cases that the behaviour specification names besides those of tests/data/gtt, each as a graph of its own.

Every transformed graph is run beside the original. `most` is the number of nodes that the real tool leaves where it is
right, and what is possible where it stops, hangs, gives other values or falls short.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.compat.helpers import (
    assert_close,
    build,
    called,
    feeds_for,
    inputs_of,
    names,
    node,
    ops,
    run,
    transform,
)
from tests.gtt import graphs
from tests.gtt.graphs import batch_norm, conv, image_graph, loop_graph, numbers, weights
from tfpare.errors import UsageError


def check(before, inputs, outputs, *transforms, most, absent=(), feeds=None, tolerance=2e-5):
    """The transformed graph: it answers the same, lacks the ops `absent` and has at most so many nodes."""
    after = transform(before, inputs, outputs, *transforms)
    feeds = feeds_for(before) if feeds is None else feeds
    assert_close(before, after, feeds, *outputs, tolerance=tolerance)
    assert not set(absent) & set(ops(after))
    assert len(after.node) <= most
    return after


# -- the driver -------------------------------------------------------------------------------------------------------


def with_identity(v1):
    x = v1.placeholder("float32", [2], name="x")
    v1.nn.relu(x, name="dead")
    k = v1.identity(v1.constant([1.0, 2.0], name="k"), name="k/read")
    v1.add(x, k, name="output")


def with_custom_op(v1):
    x = v1.placeholder("float32", [4], name="x")
    one, two = v1.constant([1.0] * 4, name="one"), v1.constant([1.0] * 4, name="two")
    v1.add(v1.add(x, one, name="a"), v1.add(one, two, name="b"), name="output")


def custom_op_graph():
    graph_def = build(with_custom_op)
    graph_def.node.add(name="custom", op="MyOwnOp", input=["output", "b"])
    return graph_def


def test_drv_backslash_newline():
    before = build(with_identity)
    check(before, ["x"], ["output"], "strip_unused_nodes \\\n remove_nodes(op=Identity) \\\n", most=3)


def test_drv_unknown_argument():
    with pytest.raises(UsageError, match="has no argument 'opp'"):
        transform(build(with_identity), ["x"], ["output"], "remove_nodes(op=Identity, opp=Relu)")


def test_drv_custom_op():
    after = transform(custom_op_graph(), ["x"], ["custom"], "merge_duplicate_nodes")
    assert ops(after) == {"Placeholder": 1, "Const": 1, "AddV2": 3, "MyOwnOp": 1}


def test_drv_custom_op_fold():
    after = transform(custom_op_graph(), ["x"], ["custom"], "fold_constants")
    assert ops(after) == {"Placeholder": 1, "Const": 2, "AddV2": 2, "MyOwnOp": 1}
    assert inputs_of(after, "custom")[0] == "output"


def test_ver_producer_kept():
    before = build(with_identity)
    before.versions.producer = 27
    after = check(before, ["x"], ["output"], "strip_unused_nodes", "fold_constants", "sort_by_execution_order", most=3)
    assert after.versions == before.versions


def test_fn_unused_function():
    before = build(called)
    unused = before.library.function.add()
    unused.CopyFrom(before.library.function[0])
    unused.signature.name = "nobody_calls_this"
    for node_def in (n for f in before.library.function for n in f.node_def):
        node_def.device = ""
    after = check(before, ["x"], ["output"], "strip_unused_nodes", most=len(before.node))
    assert len(after.library.function) == 1


# -- pruning and renaming ---------------------------------------------------------------------------------------------


def test_su_missing_input():
    with pytest.raises(UsageError, match="'inputt'"):
        transform(build(with_identity), ["inputt"], ["output"], "strip_unused_nodes")


def test_su_placeholder_with_default():
    def make(v1):
        x = v1.placeholder("float32", [3], name="x")
        flag = v1.placeholder_with_default(v1.constant(True), [], name="is_training")
        v1.where_v2(flag, x, -x, name="output")

    before = build(make)
    for feeds in ({"x": numbers("x", 3), "is_training": np.array(False)}, {"x": numbers("x", 3)}):
        check(before, ["x", "is_training"], ["output"], "strip_unused_nodes", most=len(before.node), feeds=feeds)


def test_su_unknown_dim():
    def make(v1):
        x = v1.placeholder("string", [None], name="files")
        v1.tanh(v1.reshape(v1.decode_raw(x, "float32", name="decoded"), [-1, 4], name="rows"), name="output")

    call = 'strip_unused_nodes(type=float, shape="-1,4")'
    after = transform(build(make), ["rows"], ["output"], call)
    assert ops(after) == {"Placeholder": 1, "Tanh": 1}
    assert [d.size for d in node(after, "rows").attr["shape"].shape.dim] == [-1, 4]
    rows = numbers("rows", 5, 4)
    np.testing.assert_allclose(run(after, {"rows": rows}, "output")[0], np.tanh(rows), rtol=1e-6)


def test_rn_cast_removed():
    def make(v1):
        x = v1.placeholder("int32", [3], name="x")
        y = v1.cast(v1.cast(x, "float32", name="to_float"), "float32", name="again")
        v1.multiply(y, v1.constant(0.5), name="output")

    before = build(make)
    feeds = {"x": np.array([1, -2, 3], np.int32)}
    after = check(before, ["x"], ["output"], "remove_nodes(op=Cast)", most=4, feeds=feeds)
    assert ops(after)["Cast"] == 1


def test_rn_identity_control_in():
    def make(v1):
        x = v1.placeholder("float32", [3], name="x")
        with v1.control_dependencies([v1.Assert(x[0] > 0, ["negative"], name="check")]):
            y = v1.identity(x, name="checked")
        v1.sqrt(y, name="output")

    before = build(make)
    feeds = {"x": np.array([1, 4, 9], np.float32)}
    after = check(before, ["x"], ["output"], "remove_nodes(op=Identity)", most=len(before.node) - 1, feeds=feeds)
    assert any(i.startswith("^") for i in inputs_of(after, "output"))
    with pytest.raises(Exception, match="negative"):
        run(after, {"x": np.array([-1, 4, 9], np.float32)}, "output")


def two_equal_branches(v1):
    x, y = (v1.placeholder("float32", [3], name=n) for n in "xy")
    a, b = v1.constant([1.0, 2.0, 3.0], name="a"), v1.constant([1.0, 2.0, 3.0], name="b")
    left, right = v1.multiply(x, a, name="left"), v1.multiply(x, b, name="right")
    v1.add(v1.subtract(left, y, name="difference"), right, name="output")


FED = {"x": numbers("x", 3), "y": numbers("y", 3)}


def test_md_inputs_with_port():
    before = build(two_equal_branches)
    after = transform(before, ["x:0", "y:0", "b:0"], ["output:0"], "merge_duplicate_nodes")
    feeds = {**FED, "b": numbers("fed", 3)}
    assert {"x", "y", "b"} <= set(names(after))
    assert_close(before, after, feeds, "output")


def test_md_outputs_with_port():
    outputs = ["left:0", "right:0", "output:0"]
    after = check(build(two_equal_branches), ["x:0", "y:0"], outputs, "merge_duplicate_nodes", most=7, feeds=FED)
    assert ops(after)["Const"] == 1


def test_md_unlisted_placeholders():
    after = check(build(two_equal_branches), [], ["output"], "merge_duplicate_nodes", most=6, feeds=FED)
    assert ops(after)["Placeholder"] == 2


def test_md_class_attr():
    before = build(two_equal_branches)
    node(before, "right").attr["_class"].list.s.append(b"loc:@b")
    after = check(before, ["x", "y"], ["output"], "merge_duplicate_nodes", most=6, feeds=FED)
    assert ops(after)["Mul"] == ops(after)["Const"] == 1


def test_on_colocation():
    before = build(two_equal_branches)
    node(before, "right").attr["_class"].list.s.append(b"loc:@left")
    after = check(before, ["x", "y"], ["output"], "obfuscate_names", most=8, feeds=FED)
    assert not {"left", "right", "difference"} & set(names(after))


def logged_graph():
    def make(v1):
        x = v1.placeholder("float32", [3], name="x")
        with v1.control_dependencies([v1.group(v1.no_op(name="inner"), name="nothing")]):
            v1.nn.relu(v1.negative(x, name="minus"), name="output")

    return build(make)


@pytest.mark.parametrize("call", ["insert_logging", "insert_logging(op=NoOp)", "insert_logging(op=NoOp, op=Neg)"])
def test_il_noop(call):
    before = logged_graph()
    after = check(before, ["x"], ["output"], call, most=len(before.node) + 2)
    assert ops(after)["Print"] == {"insert_logging": 2, "insert_logging(op=NoOp)": 0}.get(call, 1)


def test_il_output_node(capfd):
    before = logged_graph()
    after = check(before, ["x"], ["output"], "insert_logging(op=Relu, message=logged)", most=len(before.node) + 2)
    assert ops(after)["Print"] == 1
    assert "logged[" in capfd.readouterr().err


# -- fold_constants ---------------------------------------------------------------------------------------------------


def test_fc_cond_const_pred():
    def make(v1):
        v1.disable_control_flow_v2()
        x = v1.placeholder("float32", [4], name="x")
        y = v1.cond(v1.constant(False), lambda: x * v1.constant(2.0), lambda: v1.exp(x))
        v1.add(y, 1.0, name="output")

    check(build(make), ["x"], ["output"], "fold_constants", most=4, absent=("Switch", "Merge", "Mul"))


def test_fc_fill_inflates():
    def make(v1):
        x = v1.placeholder("float32", [100, 100], name="x")
        v1.add(x, v1.fill([100, 100], 0.5), name="output")

    before = build(make)
    after = check(before, ["x"], ["output"], "fold_constants", most=5)
    assert after.ByteSize() <= before.ByteSize()


def test_fc_mid_graph_input():
    def make(v1):
        x = v1.placeholder("float32", [3], name="x")
        middle = v1.multiply(x, v1.constant([1.0, 2.0, 3.0]), name="middle")
        v1.add(middle, v1.constant(1.0) + v1.constant(2.0), name="output")

    feeds = {"middle": numbers("middle", 3)}
    after = check(build(make), ["middle"], ["output"], "fold_constants", most=5, feeds=feeds)
    assert ops(after)["AddV2"] == 1


def test_fc_neutral_ops():
    def make(v1):
        x = v1.placeholder("float32", [2, 3], name="x")
        y = v1.subtract(v1.divide(v1.multiply(x, v1.ones([3])), v1.constant(1.0)), v1.zeros([2, 3]))
        v1.nn.relu(v1.nn.bias_add(v1.add(y, v1.constant(0.0)), v1.zeros([3])), name="output")

    absent = ("BiasAdd", "Mul", "RealDiv", "Sub", "AddV2", "Add")
    check(build(make), ["x"], ["output"], "fold_constants", most=2, absent=absent)


def rows_by_pack(v1, x):
    dims = v1.shape(x)
    return v1.stack([-1, dims[1] * dims[2]])


def rows_by_concat(v1, x):
    """The known part is a constant only after its product was evaluated."""
    dims = v1.shape(x)
    return v1.concat([dims[:1], v1.reshape(v1.reduce_prod(dims[1:]), [1])], 0)


@pytest.mark.parametrize("rows", [rows_by_pack, rows_by_concat])
def test_fc_partial_shape(rows):
    def make(v1):
        x = v1.placeholder("float32", [None, 4, 3], name="x")
        v1.reshape(x, rows(v1, x), name="output")

    absent = ("Shape", "StridedSlice", "Mul", "Pack", "ConcatV2")
    check(build(make), ["x"], ["output"], "fold_constants", most=3, absent=absent)


# -- fold_batch_norms -------------------------------------------------------------------------------------------------


def scaled(make_scale, dtype="float32"):
    def make(v1, image):
        v1.multiply(conv(v1, image, 4), make_scale(v1), name="output")

    return image_graph(make, dtype=dtype)


def test_fbn_mul_float64():
    before = scaled(lambda v1: weights(v1, "scale", 4, dtype="float64"), "float64")
    feeds = {"input": numbers("input", 2, 6, 6, 3, dtype="float64")}
    options = {"absent": ("Mul",), "feeds": feeds, "tolerance": 1e-14}
    check(before, ["input"], ["output"], "fold_batch_norms", most=3, **options)


@pytest.mark.parametrize("value", [0.37, -2.0])
def test_fbn_mul_scalar(value):
    before = scaled(lambda v1: v1.constant(value))
    check(before, ["input"], ["output"], "fold_batch_norms", most=3, absent=("Mul",))


def test_fbn_mul_size1_vector():
    before = scaled(lambda v1: v1.constant([0.37]))
    check(before, ["input"], ["output"], "fold_batch_norms", most=3, absent=("Mul",))


def test_fbn_mul_input_shared():
    def make(v1, image):
        a, b = (v1.multiply(conv(v1, image, 4, n), weights(v1, f"{n}/scale", 4), name=f"{n}/mul") for n in "ab")
        v1.add(a, b, name="output")

    check(image_graph(make), ["input"], ["output"], "fold_batch_norms", most=6, absent=("Mul",))


def nchw(*scale):
    def make(v1):
        x = v1.placeholder("float32", [2, 3, 6, 5], name="input")
        scale_by = weights(v1, "scale", *scale)
        v1.multiply(conv(v1, x, 4, data_format="NCHW"), scale_by, name="output")

    return build(make)


def test_nchw_mul_channel_scale():
    check(nchw(4, 1, 1), ["input"], ["output"], "fold_batch_norms", most=3, absent=("Mul",))


@pytest.mark.parametrize("width", [4, 5])
def test_nchw_mul_vector_along_w(width):
    def make(v1):
        x = v1.placeholder("float32", [2, 3, 6, width], name="input")
        v1.multiply(conv(v1, x, 4, data_format="NCHW"), weights(v1, "scale", width), name="output")

    after = check(build(make), ["input"], ["output"], "fold_batch_norms", most=5)
    assert ops(after)["Mul"] == 1


# -- fold_old_batch_norms ---------------------------------------------------------------------------------------------

NORMS = ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")


def old(make, outputs=("output",), **options):
    return check(image_graph(make), ["input"], outputs, "fold_old_batch_norms", **options)


def test_fobn_fused_v2():
    def make(v1, image):
        v1.nn.relu(batch_norm(v1, conv(v1, image, 4), op="FusedBatchNormV2")[0], name="output")

    old(make, most=6, absent=NORMS)


@pytest.mark.parametrize("op", NORMS)
def test_fobn_shared_gamma(op):
    def make(v1, image):
        gamma = weights(v1, "gamma", 4, low=0.5, high=1.5)
        x = image
        for name in "ab":
            x = batch_norm(v1, conv(v1, x, 4, f"{name}/conv"), f"{name}/bn", op, scale=gamma)[0]
        v1.nn.relu(x, name="output")

    old(make, most=10, absent=NORMS)


@pytest.mark.parametrize("op", NORMS)
def test_fobn_batch_mean_used(op):
    def make(v1, image):
        found = batch_norm(v1, conv(v1, image, 4), op=op)
        v1.add(found[0], found[1], name="output")

    old(make, most=9)


def test_fobn_training_true():
    def make(v1, image):
        empty = v1.constant([], shape=[0], dtype="float32")
        normed = batch_norm(v1, conv(v1, image, 4), is_training=True, mean=empty, variance=empty)
        v1.nn.relu(normed[0], name="output")

    assert ops(old(make, most=8))["FusedBatchNorm"] == 1


def test_fobn_weights_shared():
    def make(v1, image):
        kernel = weights(v1, "weights", 3, 3, 3, 4)
        for k, source in enumerate((image, v1.nn.relu(image, name="relu"))):
            made = conv(v1, source, 4, f"conv_{k}", kernel)
            v1.identity(batch_norm(v1, made, f"bn_{k}")[0], name=f"output_{k}")

    old(make, ("output_0", "output_1"), most=12, absent=NORMS)


def test_fobn_conv_also_used():
    def make(v1, image):
        made = conv(v1, image, 4)
        v1.add(batch_norm(v1, made)[0], v1.nn.relu(made, name="also"), name="output")

    old(make, most=10)


def test_fobn_conv_is_output():
    def make(v1, image):
        v1.nn.relu(batch_norm(v1, conv(v1, image, 4))[0], name="output")

    old(make, ("conv", "output"), most=9)


# -- flatten_atrous_conv ----------------------------------------------------------------------------------------------


def flattened(before, inputs, **options):
    """TensorFlow leaves constants beside a dilated convolution that nobody reads."""
    absent = ("SpaceToBatchND", "BatchToSpaceND")
    return check(before, inputs, ["output"], "flatten_atrous_conv", "strip_unused_nodes", absent=absent, **options)


def test_atrous_aspp():
    def make(v1, image):
        rates = [
            v1.nn.atrous_conv2d(image, weights(v1, f"k{r}", 3, 3, 3, 4), r, "SAME", name=f"rate{r}") for r in (2, 3, 4)
        ]
        v1.concat([conv(v1, image, 4), *rates], 3, name="output")

    before = image_graph(make, size=12)
    after = flattened(before, ["input"], most=11)
    assert ops(after)["Conv2D"] == 4


def test_atrous_conv2d_valid():
    def make(v1, image):
        made = v1.nn.atrous_conv2d(image, weights(v1, "k", 3, 3, 3, 4), 2, "VALID", name="atrous")
        v1.nn.relu(made, name="output")

    for size in (8, 9):
        before = image_graph(make, size=size)
        flattened(before, ["input"], most=4)


def test_atrous_double():
    def make(v1, image):
        kernel = weights(v1, "k", 3, 3, 3, 4, dtype="float64")
        v1.nn.relu(v1.nn.atrous_conv2d(image, kernel, 2, "SAME", name="atrous"), name="output")

    before = image_graph(make, size=8, dtype="float64")
    options = {"feeds": {"input": numbers("input", 2, 8, 8, 3, dtype="float64")}, "tolerance": 1e-14}
    flattened(before, ["input"], most=4, **options)


def test_atrous_filter_not_const():
    def make(v1, image):
        kernel = v1.placeholder("float32", [3, 3, 3, 4], name="kernel")
        v1.nn.relu(v1.nn.atrous_conv2d(image, kernel, 2, "SAME", name="atrous"), name="output")

    before = image_graph(make, size=8)
    flattened(before, ["input", "kernel"], most=6)  # with a Pad of its own


# -- fuse_convolutions ------------------------------------------------------------------------------------------------


def fused(make, how, outputs=("output",)):
    before = image_graph(make, batch=1)
    after = check(before, ["input"], outputs, how, most=len(before.node))
    assert not {"FusedPadConv2D", "FusedResizeAndPadConv2D"} & set(ops(after))


def test_fuse_pad_conv_explicit():
    def make(v1, image):
        padded = v1.pad(image, [[0, 0], [1, 1], [1, 1], [0, 0]], "REFLECT")
        attrs = {"padding": "EXPLICIT", "explicit_paddings": [0, 0, 1, 1, 2, 0, 0, 0]}
        v1.nn.relu(conv(v1, padded, 4, **attrs), name="output")

    fused(make, "fuse_pad_and_conv")


def resized(v1, image, **options):
    return v1.raw_ops.ResizeBilinear(images=image, size=[9, 11], name="resize", **options)


def test_fuse_resize_conv_half_pixel():
    fused(lambda v1, image: conv(v1, resized(v1, image, half_pixel_centers=True), 4, "output"), "fuse_resize_and_conv")


def test_fuse_resize_is_output():
    def make(v1, image):
        conv(v1, resized(v1, image), 4, "output")

    fused(make, "fuse_resize_and_conv", ("resize", "output"))


# -- eight bits -------------------------------------------------------------------------------------------------------


def product(v1, kernel):
    x = v1.placeholder("float32", [2, kernel.shape[0]], name="input")
    v1.matmul(x, v1.constant(kernel, name="weights"), name="output")


def test_rw_all_negative():
    kernel = numbers("weights", 20, 30, low=-5.0, high=-4.0)
    after = transform(build(lambda v1: product(v1, kernel)), ["input"], ["output"], "round_weights(num_steps=8)")
    rounded = run(after, {}, "weights")[0]
    assert len(np.unique(rounded)) == 8
    assert np.abs(rounded - kernel).max() <= 1 / 16 + 1e-6


def test_qw_outlier():
    kernel = numbers("weights", 40, 30)
    kernel[0, 0] = 1000.0
    before = build(lambda v1: product(v1, kernel))
    after = transform(before, ["input"], ["output"], "quantize_weights")
    stored = run(after, {}, "weights")[0]
    assert ops(after)["Dequantize"] == 1
    assert len(after.node) <= 6
    assert np.abs(stored - kernel)[1:].max() < 0.01
    assert after.ByteSize() < before.ByteSize() / 2


def test_qn_control_input():
    def make(v1):
        x = v1.placeholder("float32", [2, 3], name="x")
        with v1.control_dependencies([v1.Assert(v1.reduce_all(x < 10), ["too large"], name="check")]):
            v1.matmul(x, v1.constant(numbers("k", 3, 4)), name="output")

    before = build(make)
    after = transform(before, ["x"], ["output"], "quantize_nodes")
    assert_close(before, after, feeds_for(before), "output", tolerance=0.05)
    assert ops(after)["QuantizedMatMul"] == 1
    with pytest.raises(Exception, match="too large"):
        run(after, {"x": np.full((2, 3), 11, np.float32)}, "output")


def test_qn_conv2d_dilated():
    before = image_graph(lambda v1, image: conv(v1, image, 4, "output", dilations=[1, 2, 2, 1]), batch=1)
    after = transform(before, ["input"], ["output"], "quantize_nodes")
    assert_close(before, after, feeds_for(before), "output", tolerance=0.02)
    assert ops(after)["QuantizedConv2D"] == 0


@pytest.mark.parametrize("argument", ["min_percentile", "max_percentile"])
def test_fz_percentile_100(argument, tmp_path):
    def make(v1):
        x = v1.placeholder("float32", [2, 3], name="x")
        v1.nn.relu(v1.matmul(x, v1.constant(numbers("k", 3, 4)), name="product"), name="output")

    quantized = transform(build(make), ["x"], ["output"], "quantize_nodes")
    measured = next(n.name for n in quantized.node if n.op == "RequantizationRange")
    log = tmp_path / "log"
    log.write_text(f";{measured}__print__;__requant_min_max:[-1][1]\n")
    call = f'freeze_requantization_ranges(min_max_log_file="{log}", {argument}=100)'
    with pytest.raises(UsageError, match=argument):
        transform(quantized, ["x"], ["output"], call)


# -- sparsify_gather --------------------------------------------------------------------------------------------------


def lookup(values, ids="int64", axis=0, after=lambda v1, found, dense: v1.identity(found, name="output")):
    def make(v1):
        rows = v1.placeholder(ids, [None], name="ids")
        dense = v1.identity(v1.constant(values, name="w"), name="w/read")
        after(v1, v1.gather(dense, rows, axis=axis, name="gather"), dense)

    return build(make)


def looked_up(graph_def, ids, *fetches):
    import tensorflow as tf

    with tf.Graph().as_default() as graph, tf.compat.v1.Session() as session:
        tf.graph_util.import_graph_def(graph_def, name="")
        if "group_deps" in names(graph_def):
            session.run(graph.get_operation_by_name("group_deps"))
        return session.run([f"{f}:0" for f in fetches], {"ids:0": ids})


SPARSE = np.array([[0.5], [0.0], [-1.5], [0.0], [2.0]], np.float32)


def test_sg_int32_ids():
    before = lookup(SPARSE, "int32")
    after = transform(before, ["ids"], ["output"], "sparsify_gather")
    assert ops(after)["LookupTableFindV2"] + ops(after)["LookupTableFind"] == 1
    ids = np.array([4, 1, 0, 2, 2], np.int32)
    np.testing.assert_array_equal(looked_up(after, ids, "output")[0], SPARSE[ids])


@pytest.mark.parametrize("kept", ["concat", "other"])
def test_sg_concat_reader(kept):
    """A concatenation that something reads loses one of two operands and becomes an Identity without Tidx."""

    def make(v1, found, dense):
        v1.identity(found, name="output")
        parts = [dense, v1.constant([[9.0]], name="rest")]
        v1.identity(v1.concat(parts, 0, name="all"), name="reader")

    before = lookup(SPARSE, after=make)
    outputs = ["output", "reader"] if kept == "concat" else ["output"]
    after = transform(before, ["ids"], outputs, "sparsify_gather")
    assert ops(after)["LookupTableFind"] == 1
    ids = np.array([4, 1, 0])
    for was, found in zip(looked_up(before, ids, *outputs), looked_up(after, ids, *outputs), strict=True):
        np.testing.assert_array_equal(was, found)
    assert not any(n.op == "Identity" and "Tidx" in n.attr for n in after.node)


def assert_stays(columns, axis):
    """A lookup that no table can do stays, and does not keep another one from becoming a table."""

    def make(v1, found, dense):
        del dense
        v1.identity(found, name="output")
        ids = found.graph.get_tensor_by_name("ids:0")
        v1.gather(v1.constant(SPARSE, name="narrow"), ids, name="other")

    before, ids = lookup(numbers("w", 5, columns), axis=axis, after=make), np.zeros(3, np.int64)
    after = transform(before, ["ids"], ["output", "other"], "sparsify_gather")
    assert ops(after)["GatherV2"] == ops(after)["LookupTableFind"] == 1
    was, found = (looked_up(graph_def, ids, "output", "other") for graph_def in (before, after))
    for one, other in zip(was, found, strict=True):
        np.testing.assert_array_equal(one, other)


def test_sg_wide():
    assert_stays(2, 0)


def test_sg_axis1():
    assert_stays(1, 1)


# -- TF 1 loops -------------------------------------------------------------------------------------------------------


def test_wl_fold_old_batch_norms():
    before = loop_graph(lambda v1, y: batch_norm(v1, conv(v1, y, 3))[0], 2, 5, 5, 3)
    check(before, ["x"], ["output"], "fold_old_batch_norms", most=len(before.node) - 3, absent=NORMS)


def test_wl_fuse_pad_conv():
    def make(v1, y):
        padded = v1.pad(y, [[0, 0], [1, 1], [1, 1], [0, 0]], "REFLECT")
        return conv(v1, padded, 3, padding="VALID")

    before = loop_graph(make, 1, 5, 5, 3)
    after = check(before, ["x"], ["output"], "fuse_pad_and_conv", most=len(before.node) - 1, absent=("MirrorPad",))
    assert ops(after)["FusedPadConv2D"] == 1


def loop_of_products(call, more):
    before = loop_graph(lambda v1, y: v1.tanh(v1.matmul(y, weights(v1, "loop_weights", 5, 5))), 2, 5)
    check(before, ["x"], ["output"], call, most=len(before.node) + more, tolerance=0.02)


def test_wl_round_weights():
    loop_of_products("round_weights", 0)


def test_wl_quantize_weights():
    loop_of_products("quantize_weights(minimum_size=16)", 3)


# -- models -----------------------------------------------------------------------------------------------------------


FOLD = (
    "remove_nodes(op=Identity, op=CheckNumerics)",
    "fold_constants(ignore_errors=true)",
    "fold_batch_norms",
    "fold_old_batch_norms",
)


def folded_model(make, most, size=64):
    """`most`: what the real tool leaves of the network with FusedBatchNorm of the first version, which it knows."""
    before = image_graph(lambda v1, image: make(v1, image, "FusedBatchNormV3"), size, batch=None)
    call = f'strip_unused_nodes(type=float, shape="1,{size},{size},3")'
    feeds = {"input": numbers("image", 1, size, size, 3)}
    absent = (*NORMS, "Identity", "Mul", "Rsqrt")
    check(before, ["input"], ["output"], call, *FOLD, most=most, absent=absent, feeds=feeds, tolerance=1e-4)


def test_m_resnet50_v3bn():
    folded_model(graphs.resnet50, 289)


def test_m_inception_v1_v3bn():
    folded_model(graphs.inception_v1, 325)


def test_m_mobilenet_v3bn():
    folded_model(graphs.mobilenet, 74, 32)
