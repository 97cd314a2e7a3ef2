import pytest

from tests.harness import apply, assert_declines, assert_same, parse, random_feeds, run
from tfpare.engine.rule import Effect

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
