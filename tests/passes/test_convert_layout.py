"""Layouts: every op in both directions, ops in between, what stays and why, and traps."""

from pathlib import Path

import numpy as np
import pytest

from tests.harness import assert_same, canonical, parse, random_feeds, run, run_pipeline
from tests.traps import TRAPS
from tfpare import runtime
from tfpare.engine.rule import Effect
from tfpare.errors import UsageError
from tfpare.io.functions import Library
from tfpare.ir.graph import Graph
from tfpare.ir.model import Model
from tfpare.passes.base import PassOptions, PassResult
from tfpare.passes.convert_layout import convert_layout
from tfpare.pipeline import make_pipeline

FIRST, LAST = ("NCHW", "NCDHW"), ("NHWC", "NDHWC")


def convert(graph: Graph, layout: str = "NHWC") -> PassResult:
    model = Model(Path("."), "graphdef", [graph], Library([]), {}, {})
    result = convert_layout(model, PassOptions(layout=layout))
    graph.check()
    return result


def count(graph: Graph, op: str = "Transpose") -> int:
    return sum(n.op == op for n in graph)


def formats(graph: Graph) -> set[str]:
    return {str(n["data_format"]) for n in graph if n.get("data_format", None) is not None}


def assert_same_answers(before: Graph, after: Graph) -> None:
    feeds = random_feeds(before)
    assert_same(run(before, feeds), run(after, feeds), Effect.ROUNDING)


def converted(source: str, layout: str = "NHWC", transposes: int | None = None) -> Graph:
    """Converts, compares the answers, and the number of Transposes where it is given."""
    graph = parse(source)
    convert(graph, layout)
    assert_same_answers(parse(source), graph)
    if transposes is not None:
        assert count(graph) == transposes, canonical(graph)
    return graph


# -- ops with a layout ------------------------------------------------------------------------------------------------

IMAGE, VOLUME, VECTOR = "x = input(float32[2,4,6,5])\n", "x = input(float32[2,4,6,5,3])\n", "v = const(float32[4])\n"
NORM = IMAGE + VECTOR + "v2 = const(float32[4])\nnone = const(float32[0])\n"
SENSITIVE = {
    "Conv2D": IMAGE + "k = const(float32[3,2,4,3])\n"
    "y = Conv2D(x, k, strides=[1,1,2,1], padding=SAME, data_format=NCHW)",
    "Conv2D_explicit": IMAGE + "k = const(float32[3,2,4,3])\ny = Conv2D(x, k, strides=[1,1,1,2], padding=EXPLICIT, "
    "explicit_paddings=[0,0,0,0,1,2,3,0], dilations=[1,1,1,2], data_format=NCHW)",
    "Conv2D_computed_kernel": IMAGE + "k = input(float32[3,2,4,3])\n"
    "y = Conv2D(x, k, strides=[1,1,1,1], padding=VALID, data_format=NCHW)",
    "Conv3D": VOLUME + "k = const(float32[2,3,1,4,3])\n"
    "y = Conv3D(x, k, strides=[1,1,2,1,1], padding=SAME, data_format=NCDHW)",
    "DepthwiseConv2dNative": IMAGE + "k = const(float32[3,2,4,2])\n"
    "y = DepthwiseConv2dNative(x, k, strides=[1,1,1,1], padding=SAME, data_format=NCHW)",
    "Conv2DBackpropInput": "s = const(int32, [2,3,12,10])\nk = const(float32[3,3,3,4])\n" + IMAGE
    + "y = Conv2DBackpropInput(s, k, x, strides=[1,1,2,2], padding=SAME, data_format=NCHW)",
    "Conv2DBackpropInput_computed_size": "r = input(float32[2,3,12,10])\ns = Shape(r)\nk = const(float32[3,3,3,4])\n"
    + IMAGE + "y = Conv2DBackpropInput(s, k, x, strides=[1,1,2,2], padding=SAME, data_format=NCHW)",
    "Conv3DBackpropInputV2": "s = const(int32, [2,3,6,10,3])\nk = const(float32[2,3,1,3,4])\n" + VOLUME
    + "y = Conv3DBackpropInputV2(s, k, x, strides=[1,1,1,2,1], padding=SAME, data_format=NCDHW)",
    "AvgPool": IMAGE + "y = AvgPool(x, ksize=[1,1,3,2], strides=[1,1,1,2], padding=SAME, data_format=NCHW)",
    "MaxPool": IMAGE + "y = MaxPool(x, ksize=[1,1,3,2], strides=[1,1,1,2], padding=VALID, data_format=NCHW)",
    "AvgPool3D": VOLUME + "y = AvgPool3D(x, ksize=[1,1,3,2,1], strides=[1,1,1,2,1], padding=SAME, data_format=NCDHW)",
    "MaxPool3D": VOLUME + "y = MaxPool3D(x, ksize=[1,1,3,2,1], strides=[1,1,1,2,1], padding=SAME, data_format=NCDHW)",
}  # fmt: skip
# What no CPU runs in NCHW: as NCHW, and written with NHWC and Transposes.
UNRUNNABLE = {
    "MaxPoolV2": ("w = const(int32, {0})\ns = const(int32, {1})\ny = MaxPoolV2({x}, w, s, padding=SAME, {f})",
                  ["[1,1,3,2]", "[1,1,1,2]"], ["[1,3,2,1]", "[1,1,2,1]"]),
    "DepthToSpace": ("y = DepthToSpace({x}, block_size=2, {f})", [], []),
    "SpaceToDepth": ("y = SpaceToDepth({x}, block_size=2, {f})", [], []),
}  # fmt: skip


@pytest.mark.parametrize("name", SENSITIVE)
def test_op_in_both_directions(name):
    source = SENSITIVE[name] + "\nreturn y"
    last = converted(source, transposes=2)
    assert not formats(last) & set(FIRST)
    first = parse(source)
    convert(first)
    convert(first, "NCHW")
    assert count(first) == 0
    assert not formats(first) & set(LAST)
    assert_same_answers(parse(source), first)


@pytest.mark.parametrize("name", UNRUNNABLE)
def test_op_that_cpus_run_in_nhwc_alone(name):
    line, first, last = UNRUNNABLE[name]
    image = "x = input(float32[2,4,6,4])\n"
    source = image + line.format(*first, x="x", f="data_format=NCHW") + "\nreturn y"
    p, q = "p = const(int32, [0,2,3,1])\nt = Transpose(x, p)\n", "\nq = const(int32, [0,3,1,2])\nz = Transpose(y, q)"
    reference = parse(image + p + line.format(*last, x="t", f="data_format=NHWC") + q + "\nreturn z")
    reference.outputs = {"y:0": reference.outputs["z:0"]}
    graph = parse(source)
    convert(graph)
    assert canonical(graph) == canonical(reference)
    assert_same_answers(reference, graph)
    convert(graph, "NCHW")
    assert canonical(graph) == canonical(parse(source))


POOL = "k = const(float32[1,1,4,4])\nx = Conv2D(image, k, strides=[1,1,1,1], padding=SAME, data_format=NCHW)\n"
NORMS = {
    "FusedBatchNorm": "y = FusedBatchNorm(x, v, v2, v, v2, is_training=false, data_format=NCHW)\nreturn y",
    "FusedBatchNormV2": "y = FusedBatchNormV2(x, v, v2, v, v2, is_training=false, data_format=NCHW)\nreturn y",
    "FusedBatchNormV3": "y = FusedBatchNormV3(x, v, v2, v, v2, is_training=false, data_format=NCHW)\nreturn y",
    "FusedBatchNormV3_training": "y = FusedBatchNormV3(x, v, v2, none, none, is_training=true, data_format=NCHW)\n"
    "return y, y:1, y:2",
    "FusedBatchNormV3_half": "h = Cast(x, DstT=float16)\n"
    "n = FusedBatchNormV3(h, v, v2, v, v2, is_training=false, data_format=NCHW)\ny = Cast(n, DstT=float32)\nreturn y",
    "BiasAdd": "y = BiasAdd(x, v, data_format=NCHW)\nreturn y",
}


@pytest.mark.parametrize("name", NORMS)
def test_op_that_runs_in_both_layouts_follows_a_convolution(name):
    source = NORM.replace("x =", "image =") + POOL + NORMS[name]
    graph = converted(source, transposes=2)
    assert formats(graph) == {"NHWC"}
    convert(graph, "NCHW")
    assert formats(graph) == {"NCHW"}
    assert_same_answers(parse(source), graph)


@pytest.mark.parametrize("name", NORMS)
def test_op_that_runs_in_both_layouts_is_kept_where_it_stands_alone(name):
    graph = parse(NORM + NORMS[name])
    result = convert(graph)
    assert formats(graph) == {"NCHW"}
    assert set(result.declined) == {"converting it would gain nothing"}


def test_five_dimensional_batch_norm_and_bias():
    conv = "k = const(float32[1,1,1,4,4])\nc = Conv3D(x, k, strides=[1,1,1,1,1], padding=SAME, data_format=NCDHW)\n"
    norm = "n = FusedBatchNormV3(c, v, v, v, v, is_training=false, data_format=NCDHW)\n"
    graph = converted(VOLUME + VECTOR + conv + norm + "y = BiasAdd(n, v, data_format=NCHW)\nreturn y", transposes=2)
    assert formats(graph) == {"NDHWC", "NHWC"}


def test_a_layout_of_blocks_is_declined():
    graph = parse(
        "x = input(float32[2,4,6,5])\ny = AvgPool(x, ksize=[1,1,1,1], strides=[1,1,1,1], padding=SAME)\nreturn y"
    )
    graph.nodes["y"].attrs["data_format"] = "NCHW_VECT_C"
    graph.inferred_at = graph.edits  # TensorFlow would not infer such a shape for floats
    assert dict(convert(graph).declined) == {"layout NCHW_VECT_C is not supported": 1}


# -- ops in between ---------------------------------------------------------------------------------------------------

# Between two convolutions; x is [2,4,6,5] float32, y what the second convolution reads (4 channels). None: no Transpose
# is left but those at the input and output.
BETWEEN = {
    "Relu": "y = Relu(x)",
    "LeakyRelu": "y = LeakyRelu(x)",
    "Cast": "h = Cast(x, DstT=float16)\ny = Cast(h, DstT=float32)",
    "scalar": "c = const(float32)\ny = Mul(x, c)",
    "channel_constant": "c = const(float32[4,1,1])\ny = AddV2(c, x)",
    "full_constant": "c = const(float32[1,4,6,5])\ny = AddV2(x, c)",
    "width_constant": "c = const(float32[5])\ny = Maximum(x, c)",
    "height_and_width_constant": "c = const(float32[1,6,5])\ny = Maximum(x, c)",
    "two_images": "r = Relu(x)\ny = Sub(x, r)",
    "computed_scalar": "s = input(float32)\ny = Mul(x, s)",
    "AddN": "r = Relu(x)\nc = const(float32[2,4,6,5])\ny = AddN(x, r, c)",
    "ClipByValue": "a = const(float32, -1)\nb = const(float32, 1)\ny = ClipByValue(x, a, b)",
    "ClipByValue_shaped": "a = const(float32, -1)\nb = const(float32[2,4,6,5])\ny = ClipByValue(x, a, b)",
    "Select": "z = const(float32)\nc = Greater(x, z)\nr = Relu(x)\ny = Select(c, x, r)",
    "Select_vector": "c = input(bool[2])\nr = Relu(x)\ny = Select(c, x, r)",
    "SelectV2": "z = const(float32[4,1,1])\nc = Greater(x, z)\nr = const(float32, 0)\ny = SelectV2(c, x, r)",
    "ConcatV2": "r = Relu(x)\na = const(int32, 1)\nj = ConcatV2(x, r, a)\nz = const(int32, [0,2,0,0])\n"
    "n = const(int32, [-1,4,-1,-1])\ny = Slice(j, z, n)",
    "ConcatV2_negative": "r = Relu(x)\na = const(int32, -1)\ny = ConcatV2(x, r, a)",
    "Concat": "r = Relu(x)\na = const(int32, 2)\ny = Concat(a, x, r)",
    "Concat_constant": "r = const(float32[2,4,1,5])\na = const(int32, 2)\ny = ConcatV2(x, r, a)",
    "Split": "a = const(int32, 1)\nf, g = Split(a, x, num_split=2)\ny = ConcatV2(g, f, a)",
    "SplitV": "a = const(int32, -3)\ns = const(int32, [1,3])\n"
    "f, g = SplitV(x, s, a, num_split=2)\ny = ConcatV2(g, f, a)",
    "Pad": "p = const(int32, [[0,0],[0,0],[1,2],[0,3]])\ny = Pad(x, p)",
    "PadV2": "p = const(int32, [[0,1],[0,0],[1,2],[0,3]])\nv = const(float32, 7)\ny = PadV2(x, p, v)",
    "Pad_computed": "p = input(int32[4,2])\nr = Pad(x, p)\nz = const(int32, [0,0,0,0])\ns = const(int32, [2,4,6,5])\n"
    "y = Slice(r, z, s)",
    "MirrorPad": "p = const(int32, [[0,0],[0,0],[1,2],[0,3]])\ny = MirrorPad(x, p, mode=REFLECT)",
    "Tile": "m = const(int32, [1,1,2,3])\ny = Tile(x, m)",
    "Slice_computed": "b = input(int32[4])\nm = const(int32, 0)\nz = Mul(b, m)\nn = const(int32, [2,4,3,2])\n"
    "y = Slice(x, z, n)",
    "StridedSlice": "b = const(int32, [0,0,1,0])\ne = const(int32, [2,4,6,4])\ns = const(int32, [1,1,2,1])\n"
    "y = StridedSlice(x, b, e, s, begin_mask=3)",
    "StridedSlice_short": "b = const(int32, [0,0,2])\ne = const(int32, [0,0,5])\ns = const(int32, [1,1,1])\n"
    "y = StridedSlice(x, b, e, s, begin_mask=3, end_mask=3)",
    "StridedSlice_ellipsis": "b = const(int32, [0,1])\ne = const(int32, [0,4])\ns = const(int32, [1,1])\n"
    "y = StridedSlice(x, b, e, s, ellipsis_mask=1)",
    "StridedSlice_computed": "b = input(int32[4])\nm = const(int32, 0)\nz = Mul(b, m)\ne = const(int32, [2,4,4,4])\n"
    "s = const(int32, [1,1,1,1])\ny = StridedSlice(x, z, e, s)",
    "Mean_keep": "a = const(int32, [2,3])\nm = Mean(x, a, keep_dims=true)\ny = Mul(x, m)",
    "Max_channels_keep": "a = const(int32, -3)\nm = Max(x, a, keep_dims=true)\ny = Sub(x, m)",
    "Sum_of_one": "a = const(int32, [3])\nm = Sum(x, a)\nd = const(int32, 3)\ny = ExpandDims(m, d)",
    "Squeeze_expand": "z = const(int32, [0,0,0,0])\nn = const(int32, [-1,-1,1,-1])\nr = Slice(x, z, n)\n"
    "q = Squeeze(r, squeeze_dims=[2])\nt = Tanh(q)\nd = const(int32, -2)\ny = ExpandDims(t, d)",
    "Pack_unpack": "f, g, h, i, j = Unpack(x, num=5, axis=3)\ny = Pack(j, g, h, axis=3)",
    "ReverseV2": "a = const(int32, [1,3])\ny = ReverseV2(x, a)",
    "Cumsum": "a = const(int32, 1)\ny = Cumsum(x, a)",
    "Shape": "s = Shape(x)\nz = const(int32, [1,1,1,1])\nm = Minimum(s, z)\nt = Tile(x, m)\ny = Relu(t)",
    "ShapeN": "r = Relu(x)\ns, t = ShapeN(x, r)\nm = FloorDiv(s, t)\ny = Tile(x, m)",
    "Size_and_rank": "s = Size(x)\nr = Rank(x)\nt = AddV2(s, r)\nf = Cast(t, DstT=float32)\ny = Mul(x, f)",
    "excitation": "a = const(int32, [2,3])\nm = Mean(x, a)\nw = const(float32[4,4])\nd = MatMul(m, w)\n"
    "s = const(int32, [2,4,1,1])\nr = Reshape(d, s)\ny = Mul(x, r)",
    "blocks": "b = const(int32, [1,2,2])\np = const(int32, [[0,0],[0,0],[0,1]])\nr = SpaceToBatchND(x, b, p)\n"
    "s = Relu(r)\ny = BatchToSpaceND(s, b, p)",
    "Switch": "c = input(bool)\nf, t = Switch(x, c)\nr = Relu(f)\ny, w = Merge(r, t)",
    "Switch_constant": "c = input(bool)\nf, t = Switch(x, c)\nr = Relu(f)\np = Identity(t)\n"
    "k0 = const(float32[2,4,6,5])\nk1 = Identity(k0, ^p)\ny, w = Merge(r, k1)",
    "transposes": "p = const(int32, [0,2,3,1])\nt = Transpose(x, p)\nv = const(float32[4])\nb = BiasAdd(t, v)\n"
    "q = const(int32, [0,3,1,2])\ny = Transpose(b, q)",
}
AROUND = (
    "image = input(float32[2,4,6,5])\nk = const(float32[1,1,4,4])\n"
    "x = Conv2D(image, k, strides=[1,1,1,1], padding=SAME, data_format=NCHW)\n{}\n"
    "z = Conv2D(y, k, strides=[1,1,1,1], padding=SAME, data_format=NCHW)\nreturn z"
)


@pytest.mark.parametrize("name", BETWEEN)
def test_op_between_convolutions(name):
    source = AROUND.format(BETWEEN[name])
    graph = converted(source, transposes=2)
    assert formats(graph) == {"NHWC"}


@pytest.mark.parametrize("name", BETWEEN)
def test_op_between_convolutions_and_back(name):
    if name == "transposes":
        pytest.skip("its Transposes go on the first way")
    graph = parse(AROUND.format(BETWEEN[name]))
    convert(graph)
    convert(graph, "NCHW")
    assert count(graph) == 0, canonical(graph)
    assert_same_answers(parse(AROUND.format(BETWEEN[name])), graph)


# Behind a convolution, as the model's output: how many Transposes are left, the input's included.
BEHIND = {
    "global_mean": ("a = const(int32, [2,3])\ny = Mean(x, a)", 1),
    "global_max_keep": ("a = const(int32, [2,3])\n"
                        "m = Max(x, a, keep_dims=true)\ny = Squeeze(m, squeeze_dims=[2,3])", 1),
    "flat_mean": ("a = const(int32, [2,3])\n"
                  "m = Max(x, a, keep_dims=true)\nt = const(int32, [-1,4])\ny = Reshape(m, t)", 1),
    "channel_max": ("a = const(int32, 1)\ny = Max(x, a)", 1),
    "channel_arg_max": ("a = const(int32, 1)\ny = ArgMax(x, a)", 1),
    "everything": ("a = const(int32, [0,1,2,3])\ny = Sum(x, a)", 1),
    "batch": ("a = const(int32, 0)\ny = Sum(x, a)", 2),  # [C,H,W] has no batch in front: a third order
    "one_channel": ("b = const(int32, [0,1])\ne = const(int32, [0,2])\ns = const(int32, [1,1])\n"
                    "y = StridedSlice(x, b, e, s, begin_mask=1, end_mask=1, shrink_axis_mask=2)", 1),
    "first_image": ("b = const(int32, 0)\ne = const(int32, 1)\ns = const(int32, 1)\nb1 = Pack(b)\ne1 = Pack(e)\n"
                    "s1 = Pack(s)\ny = StridedSlice(x, b1, e1, s1, shrink_axis_mask=1)", 2),
    "flatten": ("t = const(int32, [-1,120])\ny = Reshape(x, t)", 2),
    "shape": ("y = Shape(x)", 1),
    "order": ("p = const(int32, [0,3,2,1])\ny = Transpose(x, p)", 2),
    "last": ("p = const(int32, [0,2,3,1])\ny = Transpose(x, p)", 1),
    "softmax_over_channels": ("p = const(int32, [0,2,3,1])\nt = Transpose(x, p)\ny = Softmax(t)", 1),
}  # fmt: skip


@pytest.mark.parametrize("name", BEHIND)
def test_op_behind_a_convolution(name):
    lines, transposes = BEHIND[name]
    conv = "x = Conv2D(image, k, strides=[1,1,1,1], padding=SAME, data_format=NCHW)\n"
    converted("image = input(float32[2,4,6,5])\nk = const(float32[1,1,4,4])\n" + conv + lines + "\nreturn y",
              transposes=transposes)  # fmt: skip


REASONS = {
    "batch": "a Transpose stays before Sum: the dimensions that it leaves would be in a third order",
    "flatten": "a Transpose stays before Reshape: it reads elements in their order",
}


@pytest.mark.parametrize("name", REASONS)
def test_a_transpose_that_stays_has_a_reason(name):
    conv = "x = Conv2D(image, k, strides=[1,1,1,1], padding=SAME, data_format=NCHW)\n"
    source = "image = input(float32[2,4,6,5])\nk = const(float32[1,1,4,4])\n" + conv + BEHIND[name][0] + "\nreturn y"
    assert REASONS[name] in convert(parse(source)).declined


def test_a_broadcast_operand_of_lower_rank_keeps_its_transposes():
    graph = converted(AROUND.format("v = input(float32[4,1,1])\ny = Mul(x, v)"), transposes=4)
    assert formats(graph) == {"NHWC"}


def test_unknown_ranks_keep_their_transposes():
    lines = "n = input(int32[?])\nu = Reshape(x, n)\nr = Relu(u)\ns = const(int32, [2,4,6,5])\ny = Reshape(r, s)"
    graph, original = parse(AROUND.format(lines)), parse(AROUND.format(lines))
    result = convert(graph)
    assert count(graph) == 4
    assert "a Transpose stays before Reshape: it reads elements in their order" in result.declined
    feeds = random_feeds(original) | {"n:0": np.array([2, 4, 30], np.int32)}
    assert_same(run(original, feeds), run(graph, feeds), Effect.ROUNDING)


def test_conv1d_is_squeezed_around():
    lines = "x = input(float32[2,4,9])\na = const(int32, -2)\ne = ExpandDims(x, a)\nk = const(float32[1,3,4,6])\n" + (
        "c = Conv2D(e, k, strides=[1,1,1,1], padding=SAME, data_format=NCHW)\ns = Squeeze(c, squeeze_dims=[-2])\n"
        "v = const(float32[6])\nb = BiasAdd(s, v, data_format=NCHW)\ny = Relu(b)\nreturn y"
    )
    graph = converted(lines, transposes=2)
    assert formats(graph) == {"NHWC"}
    assert {n.inputs[1].constant.tolist() == [0, 2, 1] for n in graph if n.op == "Transpose"} == {True}


def test_computed_kernels_and_other_dtypes():
    source = "x = input(float64[2,4,6,5])\nk = input(float64[3,3,4,2])\n" + (
        "c = Conv2D(x, k, strides=[1,1,1,1], padding=SAME, data_format=NHWC)\ny = Relu(c)\nreturn y"
    )
    graph = parse(source.replace("[3,3,4,2]", "[3,3,5,2]"))
    convert(graph, "NCHW")
    assert formats(graph) == {"NCHW"}
    convert(graph, "NHWC")
    assert count(graph) == 0
    assert_same_answers(parse(source.replace("[3,3,4,2]", "[3,3,5,2]")), graph)


# -- what is kept -----------------------------------------------------------------------------------------------------

CONV = "x = input(float32[?,3,8,8])\nk = const(float32[3,3,3,4])\n" + (
    "c = Conv2D(x, k, strides=[1,1,1,1], padding=SAME, data_format=NCHW)\ny = Relu(c)\nreturn y"
)


def test_keep_keeps():
    graph = parse(CONV)
    assert convert(graph, "keep").applied == 0
    assert canonical(graph) == canonical(parse(CONV))


def test_auto_depends_on_the_machine(monkeypatch):
    graph = parse(CONV)
    monkeypatch.setattr(runtime, "has_gpu", lambda: True)
    result = convert(graph, "auto")
    assert (result.applied, formats(graph)) == (0, {"NCHW"})
    assert "there is a GPU" in result.notes[0]
    monkeypatch.setattr(runtime, "has_gpu", lambda: False)
    assert convert(graph, "auto").applied == 2
    assert formats(graph) == {"NHWC"}
    assert convert(graph, "auto").applied == 0


def test_a_graph_in_the_layout_stays_as_it_is():
    source = CONV.replace("[?,3,8,8]", "[?,8,8,3]").replace("NCHW", "NHWC")
    graph = parse(source)
    assert convert(graph).applied == 0
    assert canonical(graph) == canonical(parse(source))


def test_presets_that_promise_equal_bits_refuse():
    with pytest.raises(UsageError, match="convert_layout"):
        make_pipeline("exact", options=PassOptions(layout="NHWC"))
    make_pipeline("exact", options=PassOptions(layout="keep"))
    with pytest.raises(UsageError, match="convert_layout"):
        make_pipeline("fast", disable=["convert-layout"], options=PassOptions(layout="auto"))


def test_unknown_layouts_are_refused():
    with pytest.raises(UsageError, match="keep, auto, NHWC, NCHW"):
        PassOptions(layout="nhcw")


def test_a_transpose_that_would_only_move_stays():
    source = "x = input(float32[2,4,6,5])\nq = const(int32, [0,3,1,2])\nt = Transpose(x, q)\ny = Relu(t)\nreturn y"
    graph = parse(source)
    assert convert(graph).applied == 0
    assert canonical(graph) == canonical(parse(source))


def test_transposes_around_ops_go_without_any_convolution_in_the_old_layout():
    """Keras writes a convolution of NCHW as Transpose, NHWC convolution, Transpose where there is no GPU."""
    step = (
        "t{0} = Transpose(x{0}, p)\nc{0} = Conv2D(t{0}, k, strides=[1,1,1,1], padding=SAME)\n"
        "u{0} = Transpose(c{0}, q)\nm{0} = Mul(u{0}, v)\nx{1} = Relu(m{0})\n"
    )
    source = "x0 = input(float32[2,4,6,5])\np = const(int32, [0,2,3,1])\nq = const(int32, [0,3,1,2])\n" + (
        "k = const(float32[3,3,4,4])\nv = const(float32[1,4,1,1])\n"
        + "".join(step.format(n, n + 1) for n in range(3)) + "return x3"
    )  # fmt: skip
    assert count(parse(source)) == 6
    converted(source, transposes=2)


def test_names_do_not_come_to_mean_another_value():
    graph = parse(CONV.replace("return y", "z = Neg(y)\nreturn y, z"))
    convert(graph)
    assert graph.nodes["y"].op == "Transpose"
    assert graph.nodes["y/NHWC"].op == "Relu"
    assert graph.outputs["y:0"].node.name == "y"


def test_the_rules_then_see_one_layout():
    """Batch norm is folded into a convolution that it did not meet before: between them lay a Transpose."""
    source = "x = input(float32[2,4,6,5])\nk = const(float32[3,3,4,4])\nv = const(float32[4])\n" + (
        "p = const(int32, [0,2,3,1])\nt = Transpose(x, p)\nc = Conv2D(t, k, strides=[1,1,1,1], padding=SAME)\n"
        "q = const(int32, [0,3,1,2])\nu = Transpose(c, q)\n"
        "n = FusedBatchNormV3(u, v, v, v, v, is_training=false, data_format=NCHW)\ny = Relu(n)\nreturn y"
    )
    graph = run_pipeline(parse(source), options=PassOptions(layout="NHWC"))
    assert count(graph, "FusedBatchNormV3") == 0
    assert count(graph) == 2
    assert_same_answers(parse(source), graph)


# -- traps ------------------------------------------------------------------------------------------------------------

# VALID: whether the zeros around an image meet a NaN in the kernel (0 · NaN) is up to each layout's kernel.
TRAPPED = """
x = input(float32[2,3,6,5])
k = const(float32[3,3,3,4])
c = Conv2D(x, k, strides=[1,1,1,1], padding=VALID, data_format=NCHW)
v = const(float32[4])
n, m1, m2, m3, m4, m5 = FusedBatchNormV3(c, v, v, v, v, is_training=false, data_format=NCHW)
s = const(float32[1,4,1,1])
m = Mul(n, s)
r = Relu(m)
a = const(int32, 1)
f, g = Split(a, r, num_split=2)
pads = const(int32, [[0,0],[0,0],[1,1],[0,2]])
w = Pad(f, pads)
j = AvgPool(w, ksize=[1,1,3,3], strides=[1,1,1,1], padding=VALID, data_format=NCHW)
h = Tanh(g)
axes = const(int32, [2,3])
y = Mean(j, axes)
p = const(int32, [0,2,3,1])
t = Transpose(r, p)
return y, t
"""


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
@pytest.mark.parametrize("trap", TRAPS)
def test_trap_keeps_answers(trap, layout):
    def start() -> Graph:
        graph = parse(TRAPPED)
        if layout == "NCHW":
            convert(graph, "NHWC")
        return graph

    for position in range(len(start())):
        graph, original = start(), start()
        if TRAPS[trap](graph, list(graph)[position]):
            assert TRAPS[trap](original, list(original)[position])
            convert(graph, layout)
            assert_same_answers(original, graph)


def test_a_fed_value_keeps_its_layout():
    graph = parse(TRAPPED)
    graph.fed.add(graph.nodes["r"].out())
    result = convert(graph)
    assert (
        "a caller feeds it, or it is ordered by control edges" not in result.declined
    )  # Relu has no layout of its own
    original = parse(TRAPPED)
    feeds = random_feeds(original) | {"r:0": np.random.default_rng(1).normal(size=(2, 4, 4, 3)).astype(np.float32)}
    assert_same(run(original, feeds), run(graph, feeds), Effect.ROUNDING)
    graph = parse(TRAPPED)
    graph.fed.add(graph.nodes["c"].out())
    assert convert(graph).declined["a caller feeds it, or it is ordered by control edges"] == 1
    assert graph.nodes["c"]["data_format"] == "NCHW"


# -- control flow -----------------------------------------------------------------------------------------------------


def test_a_loop_of_tf1_is_converted_inside():
    import tensorflow as tf
    from tensorflow.python.ops import control_flow_v2_toggles

    from tfpare.io import graphdef
    from tfpare.io.op_registry import op_spec

    control_flow_v2_toggles.disable_control_flow_v2()
    try:
        with tf.Graph().as_default() as tf_graph:
            x = tf.compat.v1.placeholder(tf.float32, [2, 4, 6, 5], name="x")
            kernel = tf.constant(np.random.default_rng(0).normal(0, 0.3, [3, 3, 4, 4]).astype(np.float32))

            def body(i, value):
                conv = tf.nn.conv2d(value, kernel, 1, "SAME", data_format="NCHW")
                return i + 1, tf.nn.relu(tf.nn.bias_add(conv, tf.ones([4]), data_format="NCHW"))

            _, y = tf.while_loop(lambda i, value: i < 3, body, [0, x])
            tf.identity(y, "y")
    finally:
        control_flow_v2_toggles.enable_control_flow_v2()

    def read() -> Graph:
        graph = Graph("main", op_spec)
        graphdef.read_nodes(graph, tf_graph.as_graph_def().node)
        graph.fed.add(graph.nodes["x"].out())
        graph.outputs = {"y:0": graph.nodes["y"].out()}
        return graph

    graph, original = read(), read()
    convert(graph)
    assert formats(graph) == {"NHWC"}
    feeds = {"x:0": np.random.default_rng(0).normal(size=(2, 4, 6, 5)).astype(np.float32)}
    assert_same(run(original, feeds), run(graph, feeds), Effect.ROUNDING)
