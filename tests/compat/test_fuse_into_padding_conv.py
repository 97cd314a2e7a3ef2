import numpy as np
import pytest

from tests.harness import apply, assert_declines, assert_same, parse, random_feeds, run
from tfpare.engine.rule import Effect

PAD, RESIZE = "fuse_mirror_pad_into_conv", "fuse_resize_into_conv"
BOTH = "fuse_resize_and_mirror_pad_into_conv"


def padded(batch=1, type_="float32", mode="REFLECT", p="int32, [[0,0],[1,2],[2,1],[0,0]]", conv="padding=VALID"):
    strides = "" if "strides" in conv else "strides=[1,1,1,1], "
    return f"""
    x = input({type_}[{batch},6,6,3])
    p = const({p})
    m = MirrorPad(x, p, mode={mode})
    k = const({type_}[3,3,3,4])
    y = Conv2D(m, k, {strides}{conv})
    return y
    """


def resized(type_="float32", batch=1, resize="", conv="padding=SAME"):
    return f"""
    x = input({type_}[{batch},4,4,3])
    n = const(int32, [8,6])
    r = ResizeBilinear(x, n{resize})
    k = const(float32[3,3,3,4])
    y = Conv2D(r, k, strides=[1,1,1,1], {conv})
    return y
    """


@pytest.mark.parametrize("batch", [2, "?"])
def test_declines_batches_for_which_the_kernel_is_wrong(batch):
    assert_declines(PAD, padded(batch), "a batch of one")
    assert_declines(RESIZE, resized(batch=batch), "a batch of one")


def test_the_kernel_of_the_fused_op_is_still_wrong_beyond_the_first_image():
    """When this fails, TensorFlow has mended it, and larger batches may be fused by newer versions."""
    fused = padded(2).replace("m = MirrorPad(x, p, mode=REFLECT)\n", "")
    fused = fused.replace("Conv2D(m, k,", "FusedPadConv2D(x, p, k, mode=REFLECT,")
    feeds = random_feeds(parse(fused))
    right, wrong = run(parse(padded(2)), feeds)["y:0"], run(parse(fused), feeds)["y:0"]
    np.testing.assert_allclose(right[0], wrong[0], rtol=1e-4, atol=1e-4)
    assert np.abs(right[1] - wrong[1]).max() > 0.1


@pytest.mark.parametrize(
    "conv",
    [
        "padding=VALID, dilations=[1,2,2,1]",
        "padding=EXPLICIT, explicit_paddings=[0,0,1,1,1,1,0,0]",
        "padding=VALID, data_format=NCHW",
    ],
)
def test_declines_what_the_fused_op_cannot_say(conv):
    source = padded(conv=conv)
    if "NCHW" in conv:
        source = source.replace("[3,3,3,4]", "[3,3,9,4]")
    assert_declines(PAD, source, "no such attribute")


def test_declines_padded_channels():
    source = padded(p="int32, [[0,0],[1,1],[1,1],[1,1]]").replace("[3,3,3,4]", "[3,3,5,4]")
    assert_declines(PAD, source, "batch or channels are padded")


def test_declines_half_pixel_centres():
    assert_declines(RESIZE, resized(resize=", half_pixel_centers=true"), "half-pixel")


def test_declines_images_of_integers():
    assert_declines(RESIZE, resized(type_="uint8"), "not of the convolution's dtype")


@pytest.mark.parametrize(
    ("rule", "source"),
    [
        (PAD, padded()),
        (PAD, padded(mode="SYMMETRIC", conv="strides=[1,2,2,1], padding=SAME")),
        (PAD, padded(p="int64, [[0,0],[1,2],[2,1],[0,0]]")),
        (PAD, padded(type_="float64")),
        (PAD, padded(type_="float16")),
        (RESIZE, resized()),
        (RESIZE, resized(resize=", align_corners=true", conv="padding=VALID")),
    ],
    ids=["reflect", "symmetric_strided", "int64", "float64", "float16", "resize", "align_corners"],
)
def test_fires(rule, source):
    graph, original = parse(source), parse(source)
    assert apply(graph, rule)[rule].applied == 1
    assert not any(n.op in ("Conv2D", "MirrorPad", "ResizeBilinear") for n in graph)
    feeds = random_feeds(original)
    assert_same(run(original, feeds), run(graph, feeds), Effect.ROUNDING)


def test_three_in_one():
    pad = "p = const(int32, [[0,0],[1,1],[2,2],[0,0]])\nm = MirrorPad(r, p, mode=REFLECT)\n"
    source = resized().replace("y = Conv2D(r,", f"{pad}y = Conv2D(m,")
    graph, original = parse(source), parse(source)
    assert apply(graph, BOTH)[BOTH].applied == 1
    feeds = random_feeds(original)
    assert_same(run(original, feeds), run(graph, feeds), Effect.ROUNDING)
