import pytest

from tests.harness import assert_declines

NAME = "move_mul_before_pad"
PADDED = (
    "x = input(float32[2,6,6,3])\nk = const(float32[3,3,3,4])\nconv = Conv2D(x, k, strides=[1,1,1,1], padding=SAME)\n"
    "p = const(int32, {p})\npadded = Pad(conv, p)\n"
)
ONES = "[[0,0],[1,1],[1,1],[0,0]]"

DECLINES = [
    (
        "channels",
        PADDED.format(p="[[0,0],[0,0],[0,0],[1,1]]") + "c = const(float32)\ny = Mul(padded, c)\nreturn y",
        "channels",
    ),
    ("negative", PADDED.format(p=ONES) + "c = const(float32, [1,-1,1,1])\ny = Mul(padded, c)\nreturn y", "negative"),
    ("nan", PADDED.format(p=ONES) + "c = const(float32, [1,nan,1,1])\ny = Mul(padded, c)\nreturn y", "finite"),
]


@pytest.mark.parametrize(("source", "reason"), [c[1:] for c in DECLINES], ids=[c[0] for c in DECLINES])
def test_declines(source, reason):
    assert_declines(NAME, source, reason)
