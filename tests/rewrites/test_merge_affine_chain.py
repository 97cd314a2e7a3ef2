import pytest

from tests.harness import assert_declines

NAME = "merge_affine_chain"
CHAIN = (
    "x = input({t}[2,4])\na = const({t}{a})\nm = Mul(x, a)\nb = const({t}{b})\ns = AddV2(m, b)\n"
    "c = const({t}{c})\ny = Mul(s, c)\n"
)

DECLINES = [
    ("integers", CHAIN.format(t="int32", a="[4]", b="[4]", c="[4]") + "return y", "overflow"),
    ("shapes", CHAIN.format(t="float32", a="[4]", b="[2,4]", c="[4]") + "return y", "differ in shape"),
    ("fetched", CHAIN.format(t="float32", a="[4]", b="[4]", c="[4]") + "return y, s", "output of the model"),
]


@pytest.mark.parametrize(("source", "reason"), [c[1:] for c in DECLINES], ids=[c[0] for c in DECLINES])
def test_declines(source, reason):
    assert_declines(NAME, source, reason)
