import pytest

from tests.harness import apply, assert_declines, assert_same, parse, random_feeds, run
from tfpare.engine.rule import Effect

NAME = "fill_atrous_depthwise_kernel"


def atrous(paddings="[[2,2],[2,2]]", crops="[[0,0],[0,0]]", size="8,8", kernel="3,3,3,2", strides="1,1,1,1", block=2):
    return f"""
    x = input(float32[2,{size},3])
    block = const(int32, [{block},{block}])
    paddings = const(int32, {paddings})
    s = SpaceToBatchND(x, block, paddings)
    k = const(float32[{kernel}])
    conv = DepthwiseConv2dNative(s, k, strides=[{strides}], padding=VALID)
    crops = const(int32, {crops})
    y = BatchToSpaceND(conv, block, crops)
    return y
    """


def test_declines_strides():
    assert_declines(NAME, atrous(strides="1,2,2,1"), "strides")


def test_declines_crops_beyond_the_padding():
    assert_declines(NAME, atrous(paddings="[[0,0],[0,0]]", crops="[[1,0],[0,0]]"), "crops remove more")


@pytest.mark.parametrize(
    ("source", "pads"),
    [
        (atrous(), False),
        (atrous(paddings="[[0,0],[0,0]]"), False),
        (atrous(paddings="[[2,3],[2,3]]", crops="[[0,1],[0,1]]", size="7,7"), False),
        (atrous(paddings="[[3,1],[0,2]]"), True),
        (atrous(paddings="[[1,2],[1,2]]", kernel="2,2,3,1", size="9,9", block=3, crops="[[0,1],[0,1]]"), True),
        (atrous(paddings="[[1,2],[1,2]]", kernel="2,2,3,1", size="7,7", crops="[[0,1],[0,1]]"), False),
    ],
    ids=["same", "valid", "odd_size", "uneven", "even_kernel", "even_kernel_same"],
)
def test_fires(source, pads):
    graph, original = parse(source), parse(source)
    assert apply(graph, NAME)[NAME].applied == 1
    assert sorted(n.op for n in graph if n.op not in ("Const", "Placeholder")) == [
        "DepthwiseConv2dNative",
        *(["Pad"] if pads else []),
    ]
    feeds = random_feeds(original)
    assert_same(run(original, feeds), run(graph, feeds), Effect.ROUNDING)
