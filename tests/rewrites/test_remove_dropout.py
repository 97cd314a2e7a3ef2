import pytest

from tests.harness import apply, assert_declines, assert_rewrites, parse

HEAD = "x = input(float32[{dims}])\nr = const(float32, {rate})\nz = const(float32, {zero})\ns = {shape}\n"
NOISE = "n = {random}(s, dtype=float32, seed=1, seed2=2)\n"
TAILS = {
    "remove_dropout": "g = GreaterEqual(n, r)\nm = Cast(g, DstT=float32)\nd = Mul(x, m)\n",
    "remove_select_dropout": "g = GreaterEqual(n, r)\nd = SelectV2(g, x, z)\n",
    "remove_floor_dropout": "a = AddV2(n, r)\nm = Floor(a)\nd = Mul(m, x)\n",
}
NONE = {"remove_dropout": "0", "remove_select_dropout": "0", "remove_floor_dropout": "1"}


def source(name: str, rate: str = "", shape: str = "Shape(x)", random: str = "RandomUniform", **more: str) -> str:
    given = {"dims": "?,4", "zero": "0", **more}
    head = HEAD.format(rate=rate or NONE[name], shape=shape, **given)
    return head + NOISE.format(random=random) + TAILS[name] + "y = Relu(d)\nreturn y"


@pytest.mark.parametrize("name", TAILS)
def test_declines_real_dropout(name):
    reason = "not all is kept" if name == "remove_floor_dropout" else "the rate is not 0"
    assert_declines(name, source(name, "0.5"), reason)
    assert_declines(name, source(name, f"[{NONE[name]}]"), reason)  # a vector could add a dimension


@pytest.mark.parametrize("name", TAILS)
def test_declines_other_noise(name):
    assert_declines(name, source(name, random="RandomStandardNormal"), "[0, 1)")


@pytest.mark.parametrize("name", TAILS)
@pytest.mark.parametrize("shape", ["const(int32, [3, 4])", "input(int32[2])"])
def test_declines_noise_of_another_shape(name, shape):
    assert_declines(name, source(name, shape=shape), "the shape of x")


def test_declines_wide_zero():
    assert_declines("remove_select_dropout", source("remove_select_dropout", zero="[[[0]]]"), "no scalar")


@pytest.mark.parametrize("name", TAILS)
def test_declines_fed_noise(name):
    graph = parse(source(name))
    graph.fed.add(graph.nodes["n"].out())
    assert apply(graph, name)[name].applied == 0


@pytest.mark.parametrize("name", TAILS)
def test_noise_in_its_written_range(name):
    """random_uniform(shape, 0, 1) as TensorFlow 1 writes it: · (1 − 0) + 0."""
    text = source(name).replace("n = Random", "u = Random")
    scaled = "w = const(float32, 1)\nl = const(float32, 0)\nv = Mul(u, w)\nn = Add(v, l)\n"
    text = text.replace("seed2=2)\n", f"seed2=2)\n{scaled}")
    assert_rewrites(name, text, "x = input(float32[?,4])\ny = Relu(x)\nreturn y")


@pytest.mark.parametrize("name", TAILS)
def test_static_noise_shape(name):
    text = source(name, dims="3,4", shape="const(int32, [3, 4])")
    assert_rewrites(name, text, "x = input(float32[3,4])\ny = Relu(x)\nreturn y")
