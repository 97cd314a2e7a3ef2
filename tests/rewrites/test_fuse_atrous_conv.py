import pytest

from tests.harness import apply, assert_declines, assert_same, parse, random_feeds, run
from tfpare.engine.rule import Effect
from tfpare.runtime import infer_shapes

NAME = "fuse_atrous_conv"


def atrous(
    paddings="[[2,2],[2,2]]", crops="[[0,0],[0,0]]", size="8,8", padding="VALID", kernel="3,3,3,4", strides="1,1,1,1"
):
    return f"""
    x = input(float32[2,{size},3])
    block = const(int32, [2,2])
    paddings = const(int32, {paddings})
    s = SpaceToBatchND(x, block, paddings)
    k = const(float32[{kernel}])
    conv = Conv2D(s, k, strides=[{strides}], padding={padding})
    crops = const(int32, {crops})
    y = BatchToSpaceND(conv, block, crops)
    return y
    """


def test_declines_strides():
    assert_declines(NAME, atrous(strides="1,2,2,1"), "strides")


def test_declines_crops_beyond_the_padding():
    assert_declines(NAME, atrous(paddings="[[0,0],[0,0]]", crops="[[1,0],[0,0]]"), "crops remove more")


@pytest.mark.parametrize(
    "source",
    [
        atrous(),
        atrous(paddings="[[0,0],[0,0]]"),
        atrous(paddings="[[2,3],[2,3]]", crops="[[0,1],[0,1]]", size="7,7"),
        atrous(padding="SAME", paddings="[[0,1],[0,1]]", crops="[[0,1],[0,1]]", size="7,7"),
        atrous(padding="SAME", kernel="2,2,3,4", paddings="[[0,0],[0,0]]"),
    ],
    ids=["padded", "valid", "odd_size", "inner_same", "even_kernel"],
)
def test_fires(source):
    graph, original = parse(source), parse(source)
    assert apply(graph, NAME)[NAME].applied == 1
    assert not any("SpaceTo" in n.op for n in graph)
    feeds = random_feeds(original)
    assert_same(run(original, feeds), run(graph, feeds), Effect.ROUNDING)


def test_batch_norm_after_it_is_folded():
    source = (
        atrous().replace("return y", "")
        + """
    c = const(float32[4])
    m = Mul(y, c)
    t = const(float32[4])
    z = AddV2(m, t)
    return z
    """
    )
    graph, original = parse(source), parse(source)
    apply(graph)
    assert sorted(n.op for n in graph if n.op != "Const") == ["BiasAdd", "Conv2D", "Placeholder"]
    feeds = random_feeds(original)
    assert_same(run(original, feeds), run(graph, feeds), Effect.ROUNDING)


def test_paddings_that_follow_the_size_are_understood():
    """What tf.nn.conv2d of TF 1 writes for inputs of unknown size: crops take back what rounds the size up."""
    source = """
    x = input(float32[1,?,?,3])
    rate = const(int32, [3,3])
    base = const(int32, [[3,3],[3,2]])
    shape = Shape(x)
    zero = const(int32, [0])
    one = const(int32, [1])
    two = const(int32, [2])
    three = const(int32, [3])
    size = StridedSlice(shape, one, three, one)
    low = const(int32, [0,0])
    middle = const(int32, [0,1])
    high = const(int32, [0,2])
    ones = const(int32, [1,1])
    before = StridedSlice(base, low, middle, ones, begin_mask=1, end_mask=1, shrink_axis_mask=2)
    after = StridedSlice(base, middle, high, ones, begin_mask=1, end_mask=1, shrink_axis_mask=2)
    with_before = AddV2(size, before)
    full = AddV2(with_before, after)
    over = FloorMod(full, rate)
    missing = Sub(rate, over)
    extra = FloorMod(missing, rate)
    end = AddV2(after, extra)
    b0 = StridedSlice(before, zero, one, one, shrink_axis_mask=1)
    e0 = StridedSlice(end, zero, one, one, shrink_axis_mask=1)
    b1 = StridedSlice(before, one, two, one, shrink_axis_mask=1)
    e1 = StridedSlice(end, one, two, one, shrink_axis_mask=1)
    p0 = Pack(b0, e0, N=2)
    p1 = Pack(b1, e1, N=2)
    paddings = Pack(p0, p1, N=2)
    s = SpaceToBatchND(x, rate, paddings)
    k = const(float32[3,3,3,4])
    conv = Conv2D(s, k, strides=[1,1,1,1], padding=VALID)
    c = const(int32, 0)
    x0 = StridedSlice(extra, zero, one, one, shrink_axis_mask=1)
    x1 = StridedSlice(extra, one, two, one, shrink_axis_mask=1)
    c0 = Pack(c, x0, N=2)
    c1 = Pack(c, x1, N=2)
    crops = Pack(c0, c1, N=2)
    y = BatchToSpaceND(conv, rate, crops)
    return y
    """
    for unknown in (5, 7, 9):
        graph, original = parse(source), parse(source)
        infer_shapes(graph)
        assert apply(graph, NAME)[NAME].applied == 1
        assert [n.op for n in graph if n.op not in ("Const", "Placeholder")] == ["Conv2D"]
        feeds = random_feeds(original, unknown=unknown)
        assert_same(run(original, feeds), run(graph, feeds), Effect.ROUNDING)


def test_declines_paddings_that_differ_by_something_unknown():
    source = atrous().replace("paddings = const(int32, [[2,2],[2,2]])", "paddings = input(int32[2,2])")
    assert_declines(NAME, source, "paddings minus crops")


def test_declines_blocks_that_differ():
    source = atrous(paddings="[[2,2],[2,2]]").replace("crops = ", "other = const(int32, [2,1])\n    crops = ")
    assert_declines(NAME, source.replace("BatchToSpaceND(conv, block", "BatchToSpaceND(conv, other"), "equal blocks")


def test_two_constants_of_the_same_block():
    source = atrous().replace("crops = ", "other = const(int32, [2,2])\n    crops = ")
    source = source.replace("BatchToSpaceND(conv, block", "BatchToSpaceND(conv, other")
    graph = parse(source)
    assert apply(graph, NAME)[NAME].applied == 1


@pytest.mark.parametrize("type_", ["float16", "bfloat16", "float64"])
def test_other_dtypes(type_):
    source = atrous().replace("float32", type_)
    graph, original = parse(source), parse(source)
    assert apply(graph, NAME)[NAME].applied == 1
    feeds = random_feeds(original)
    assert_same(run(original, feeds), run(graph, feeds), Effect.ROUNDING)


def test_a_kernel_that_is_computed_meets_its_padding_in_a_pad():
    source = atrous().replace(" k = const(", " k = input(")
    graph, original = parse(source), parse(source)
    assert apply(graph, NAME)[NAME].applied == 1
    assert sorted(n.op for n in graph if n.op not in ("Const", "Placeholder")) == ["Conv2D", "Pad"]
    feeds = random_feeds(original)
    assert_same(run(original, feeds), run(graph, feeds), Effect.ROUNDING)


def test_siblings_over_one_split():
    source = atrous().replace("return y", "l = const(float32[1,1,3,2])")
    source += "other = Conv2D(s, l, strides=[1,1,1,1], padding=VALID)\n"
    source += "z = BatchToSpaceND(other, block, crops)\nreturn y, z"
    graph, original = parse(source), parse(source)
    assert apply(graph, NAME)[NAME].applied == 2
    assert not any("SpaceTo" in n.op for n in graph)
    feeds = random_feeds(original)
    assert_same(run(original, feeds), run(graph, feeds), Effect.ROUNDING)
