"""Weights stored in 8 bits: kernels, embedding tables, what stays."""

import numpy as np
import pytest

from tests.harness import parse, random_feeds, run
from tests.quant.int8 import ops
from tests.traps import TRAPS
from tfpare.passes.base import PassResult
from tfpare.quant.numerics import sqnr_db
from tfpare.quant.store import store_weights
from tfpare.runtime import infer_shapes

DENSE = "x = input(float32[2,64])\nk = const(float32[64,32])\ny = MatMul(x, k)\nreturn y"
TABLE = (
    "i = input(int32[5])\nt = const(float32[100,16])\naxis = const(int32, 0)\ng = GatherV2(t, i, axis)\n"
    "y = Relu(g)\nreturn y"
)


def stored(source):
    graph, result = parse(source), PassResult()
    infer_shapes(graph)
    count = store_weights(graph, (), result)
    graph.check()
    return graph, count, result


@pytest.mark.parametrize(
    "source",
    [
        DENSE,
        DENSE.replace("k)", "k, transpose_b=true)").replace("[64,32]", "[32,64]"),
        "x = input(float32[1,8,8,16])\nk = const(float32[3,3,16,8])\n"
        "y = Conv2D(x, k, strides=[1,1,1,1], padding=SAME)\nreturn y",
        "x = input(float32[1,8,8,64])\nk = const(float32[5,5,64,1])\n"
        "y = DepthwiseConv2dNative(x, k, strides=[1,1,1,1], padding=SAME)\nreturn y",
    ],
)
def test_kernels(source):
    graph, count, _ = stored(source)
    assert count == 1
    assert {"Cast", "Mul"} <= set(ops(graph))
    feeds = random_feeds(graph)
    assert sqnr_db(run(parse(source), feeds)["y:0"], run(graph, feeds)["y:0"]) > 35


def test_only_the_rows_that_are_looked_up_are_turned_back():
    graph, count, _ = stored(TABLE)
    assert count == 1
    assert ops(graph) == ["Cast", "GatherV2", "GatherV2", "Mul", "Relu"]
    assert all(n.out().constant.dtype == np.int8 for n in graph if n.op == "Const" and n.out().constant.size == 1600)
    feeds = {"i:0": np.array([0, 99, 7, 7, 50], np.int32)}
    assert sqnr_db(run(parse(TABLE), feeds)["y:0"], run(graph, feeds)["y:0"]) > 40


def test_a_table_that_is_multiplied_too_stays_a_float():
    source = TABLE.replace("return y", "x = input(float32[2,16])\nz = MatMul(x, t, transpose_b=true)\nreturn y, z")
    _, count, _ = stored(source)
    assert count == 0


def test_large_kernels_stay():
    _, count, result = stored(DENSE.replace("64,32", "64,49152"))
    assert count == 0
    assert list(result.declined) == ["weights of 10 MiB or more would be turned back in every call"]


def test_what_a_logarithm_reads_stays():
    _, count, result = stored(DENSE.replace("return y", "s = Square(y)\nz = Log1p(s)\nreturn z"))
    assert count == 0
    assert any("a logarithm reads it" in reason for reason in result.declined)


def test_small_ones_stay():
    assert stored(DENSE.replace("64", "8"))[1] == 0


@pytest.mark.parametrize("trap", TRAPS)
@pytest.mark.parametrize("source", [DENSE, TABLE])
def test_traps(trap, source):
    for position in range(len(parse(source))):
        graph, original = parse(source), parse(source)
        if not TRAPS[trap](graph, list(graph)[position]):
            continue
        assert TRAPS[trap](original, list(original)[position])
        store_weights(graph, (), PassResult())
        graph.check()
        feeds = random_feeds(original)
        expected, got = run(original, feeds), run(graph, feeds)
        for key, value in expected.items():
            if value.dtype.kind != "f":
                np.testing.assert_array_equal(value, got[key])
                continue
            np.testing.assert_array_equal(np.isfinite(value), np.isfinite(got[key]))
            finite = np.isfinite(value)
            scale = np.abs(value[finite]).max(initial=1e-6)
            assert np.abs(got[key][finite] - value[finite]).max(initial=0.0) <= 0.05 * scale, (trap, position, key)
