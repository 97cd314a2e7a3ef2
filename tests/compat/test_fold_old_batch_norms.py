"""fold_old_batch_norms: the original's tests, and its wrong answers, endless loop, aborts and stops."""

import pytest

from tests.compat.helpers import assert_answers, assert_close, build, feeds_for, names, node, ops, transform, written

CONV = (
    "x = input(float32[2,6,6,3])\nk = const(float32[3,3,3,4])\nconv = Conv2D(x, k, strides=[1,1,1,1], padding=SAME)\n"
)
STATS = "".join(f"{name} = const(float32[4])\n" for name in ("gamma", "beta", "mean", "variance"))
BN = "output = {op}({of}, gamma, beta, mean, variance, is_training={training})\n"


def source(op="FusedBatchNorm", of="conv", before=CONV, stats=STATS, training="false", after="return output"):
    return before + stats + BN.format(op=op, of=of, training=training) + after


def folded(text, outputs=("output",), how="fold_old_batch_norms"):
    before = written(text)
    return before, transform(before, ["x"], outputs, how)


def assert_folds(text, outputs=("output",)):
    before, after = folded(text, outputs)
    assert not any("BatchNorm" in op for op in ops(after))
    assert_close(before, after, feeds_for(before), *outputs)
    return after


FUSED = ["FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"]


@pytest.mark.parametrize("op", FUSED)
def test_after_a_convolution(op):
    after = assert_folds(source(op))
    assert ops(after) == {"Placeholder": 1, "Const": 2, "Conv2D": 1, "BiasAdd": 1}
    assert node(after, "output").op == "BiasAdd"


@pytest.mark.parametrize("op", FUSED)
def test_after_a_depthwise_convolution(op):
    conv = "x = input(float32[2,6,6,2])\nk = const(float32[3,3,2,2])\n"
    conv += "conv = DepthwiseConv2dNative(x, k, strides=[1,1,1,1], padding=VALID)\n"
    assert len(assert_folds(source(op, before=conv)).node) == 5


@pytest.mark.parametrize("op", FUSED)
def test_after_a_bias(op):
    after = assert_folds(source(op, of="biased", before=f"{CONV}b = const(float32[4])\nbiased = BiasAdd(conv, b)\n"))
    assert len(after.node) == 5


@pytest.mark.parametrize("scales", ["true", "false"])
def test_global_normalization(scales):
    text = (
        CONV
        + STATS
        + (
            "output = BatchNormWithGlobalNormalization(conv, mean, variance, beta, gamma, variance_epsilon=0.001, "
            f"scale_after_normalization={scales})\nreturn output"
        )
    )
    assert len(assert_folds(text).node) == 5


@pytest.mark.parametrize("axis", ["int32, 3", "int32, -1", "int64, 3", "int32, 2"])
@pytest.mark.parametrize("parts", [2, 3])
def test_concatenations(axis, parts):
    along = not axis.endswith("2")
    lines = ["x = input(float32[2,6,6,3])"]
    for k in range(parts):
        lines.append(f"k{k} = const(float32[3,3,3,{2 + k if along else 4}])")
        lines.append(f"c{k} = Conv2D(x, k{k}, strides=[1,1,1,1], padding=SAME)")
    total = sum(2 + k for k in range(parts)) if along else 4
    lines.append(f"axis = const({axis})")
    lines.append(f"joined = ConcatV2({', '.join(f'c{k}' for k in range(parts))}, axis, N={parts})\n")
    after = assert_folds(source(of="joined", before="\n".join(lines), stats=STATS.replace("[4]", f"[{total}]")))
    assert node(after, "output").op == "ConcatV2"


def test_batch_to_space():
    before = (
        "x = input(float32[4,6,6,3])\nk = const(float32[3,3,3,4])\n"
        "conv = Conv2D(x, k, strides=[1,1,1,1], padding=VALID)\n"
        "block = const(int32, [2,2])\ncrops = const(int32, [[0,0],[0,0]])\nmoved = BatchToSpaceND(conv, block, crops)\n"
    )
    after = assert_folds(source(of="moved", before=before))
    assert node(after, "output").op == "BatchToSpaceND"
    assert len(after.node) == 8


# -- wrong in the original --------------------------------------------------------------------------------------------


def test_a_convolution_that_something_else_reads():
    before, after = folded(source(after="other = Relu(conv)\nreturn output, other"), ["output", "other"])
    assert_answers(before, after, feeds_for(before), "output", "other")


def test_a_convolution_that_is_an_output():
    before, after = folded(source(), ["conv", "output"])
    assert_answers(before, after, feeds_for(before), "conv", "output")


@pytest.mark.parametrize("normalised", [1, 2])
def test_a_kernel_that_two_convolutions_share(normalised):
    more = "d = Conv2D(x, k, strides=[1,2,2,1], padding=SAME)\n"
    more += (
        "z = FusedBatchNorm(d, beta, gamma, mean, variance, is_training=false)\n"
        if normalised == 2
        else "z = Relu(d)\n"
    )
    assert_folds(source(after=f"{more}return output, z"), ["output", "z"])


def test_kernels_that_were_merged_first():
    text = source(after="return output").replace("return output", "")
    text += (
        "l = const(float32[3,3,3,4])\nd = Conv2D(x, l, strides=[1,1,1,1], padding=SAME)\nz = Relu(d)\nreturn output, z"
    )
    before = written(text)
    node(before, "l").attr["value"].CopyFrom(node(before, "k").attr["value"])
    after = transform(before, ["x"], ["output", "z"], "merge_duplicate_nodes fold_old_batch_norms")
    assert_close(before, after, feeds_for(before), "output", "z")


def test_statistics_that_two_batch_norms_share():
    more = (
        "l = const(float32[3,3,3,4])\nd = Conv2D(x, l, strides=[1,1,1,1], padding=SAME)\n"
        "z = FusedBatchNorm(d, gamma, beta, mean, variance, is_training=false)\nreturn output, z"
    )
    after = assert_folds(source(after=more), ["output", "z"])
    assert len(after.node) == 9


@pytest.mark.parametrize("how", ["fold_old_batch_norms", "fold_old_batch_norms(ignore_errors=true)"])
def test_training_mode_stays_and_the_rest_is_folded(how):
    more = (
        "l = const(float32[3,3,3,4])\nd = Conv2D(x, l, strides=[1,1,1,1], padding=SAME)\nnone = const(float32[0])\n"
        "z = FusedBatchNorm(d, gamma, beta, none, none, is_training=true)\nreturn output, z"
    )
    before, after = folded(source(after=more), ["output", "z"], how)
    assert ops(after)["FusedBatchNorm"] == 1
    assert_close(before, after, feeds_for(before), "output", "z")


def test_the_default_epsilon():
    before = written(source())
    assert "epsilon" not in node(before, "output").attr
    after = transform(before, ["x"], ["output"], "fold_old_batch_norms")
    assert_close(before, after, feeds_for(before), "output")


def test_statistics_that_are_read():
    before, after = folded(source(after="m = Neg(output:1)\nreturn output, m"), ["output", "m"])
    assert_answers(before, after, feeds_for(before), "output", "m")


def test_names_that_are_taken():
    text = (
        CONV
        + "conv_bn_offset = const(float32[4])\n"
        + STATS
        + BN.format(op="FusedBatchNorm", of="conv", training="false")
    )
    assert_folds(f"{text}z = AddV2(output, conv_bn_offset)\nreturn z", ["z"])


def test_before_an_activation_it_stays():
    text = source(of="x", before="x = input(float32[2,6,6,4])\n", after="r = Relu(output)\n")
    text += "k = const(float32[3,3,4,2])\ny = Conv2D(r, k, strides=[1,1,1,1], padding=VALID)\nreturn y"
    before, after = folded(text, ["y"])
    assert sorted(names(after)) == sorted(names(before))


def test_before_a_convolution_that_pads_nothing():
    text = source(of="x", before="x = input(float32[2,6,6,4])\n", after="k = const(float32[3,3,4,2])\n")
    assert_folds(f"{text}y = Conv2D(output, k, strides=[1,1,1,1], padding=VALID)\nreturn y", ["y"])


def test_before_a_convolution_that_pads_it_stays():
    text = source(of="x", before="x = input(float32[2,6,6,4])\n", after="k = const(float32[3,3,4,2])\n")
    before, after = folded(f"{text}y = Conv2D(output, k, strides=[1,1,1,1], padding=SAME)\nreturn y", ["y"])
    assert sorted(names(after)) == sorted(names(before))


@pytest.mark.parametrize("data_format", ["NHWC", "NCHW"])
def test_layouts(data_format):
    text = source().replace("padding=SAME", f"padding=SAME, data_format={data_format}")
    text = text.replace("is_training=false", f"is_training=false, data_format={data_format}")
    if data_format == "NCHW":
        text = text.replace("[2,6,6,3]", "[2,3,6,6]")
    _, after = folded(text)
    assert ops(after) == {"Placeholder": 1, "Const": 2, "Conv2D": 1, "BiasAdd": 1}
    assert (node(after, "output").attr["data_format"].s or b"NHWC").decode() == data_format


def test_loops():
    def make(v1):
        v1.disable_control_flow_v2()
        x = v1.placeholder("float32", [1, 4, 4, 3], name="x")

        def body(i, y):
            kernel = v1.reshape(v1.range(81.0) / 800.0, [3, 3, 3, 3])
            conv = v1.nn.conv2d(y, kernel, [1, 1, 1, 1], "SAME")
            ones = v1.constant([0.5, 1.0, 2.0])
            return i + 1, v1.nn.fused_batch_norm(conv, ones, ones, ones, ones, is_training=False)[0]

        v1.identity(v1.while_loop(lambda i, y: i < 3, body, [0, x])[1], name="output")

    before = build(make)
    after = transform(before, ["x"], ["output"], "fold_constants fold_old_batch_norms")
    assert not any("BatchNorm" in op for op in ops(after))
    assert_close(before, after, feeds_for(before), "output")
