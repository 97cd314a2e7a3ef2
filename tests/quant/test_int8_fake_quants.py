"""Models that were trained for 8 bits: their ranges are used, no data is needed."""

import numpy as np
import pytest

from tests.harness import parse, random_feeds, run
from tests.quant.int8 import EVERY, ops
from tfpare.io.functions import Library
from tfpare.ir.model import Model
from tfpare.passes.base import PassOptions, PassResult
from tfpare.passes.compute_in_int8 import compute_in_int8
from tfpare.quant.fake_quants import take_ranges
from tfpare.quant.numerics import sqnr_db

QAT = (
    "x = input(float32[2,8,8,8])\nf0 = FakeQuantWithMinMaxArgs(x, min=-4.0, max=4.0)\nk = const(float32[3,3,8,16])\n"
    "c = Conv2D(f0, k, strides=[1,1,1,1], padding=SAME)\nr = Relu(c)\nlow = const(float32, 0.0)\n"
    "high = const(float32, 20.0)\nf1 = FakeQuantWithMinMaxVars(r, low, high)\nk2 = const(float32[1,1,16,8])\n"
    "c2 = Conv2D(f1, k2, strides=[1,1,1,1], padding=SAME)\nf2 = FakeQuantWithMinMaxArgs(c2, min=-60.0, max=60.0)\n"
    "y = Identity(f2)\nreturn y"
)


def test_ranges_are_taken_and_the_ops_go():
    graph = parse(QAT)
    ranges = take_ranges(graph, PassResult())
    assert {v.node.name: r for v, r in ranges.items()} == {"x": (-4.0, 4.0), "r": (0.0, 20.0), "c2": (-60.0, 60.0)}
    assert not [o for o in ops(graph) if o.startswith("FakeQuant")]


def test_kernels_without_data(tmp_path):
    graph = parse(QAT)
    model = Model(tmp_path, "graphdef", [graph], Library([]), {}, {})
    result = compute_in_int8(model, PassOptions(precision="int8", int8=EVERY))
    assert result.applied == 2
    kernels = [n.name for n in graph if n.op == "_FusedQuantizedConv2D"]
    layers = [name for name in kernels if not name.startswith("int8_check")]  # that one asks the CPU
    assert len(layers) == 2
    feeds = random_feeds(parse(QAT))
    assert sqnr_db(run(parse(QAT), feeds)["y:0"], run(graph, feeds)["y:0"]) > 25


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("min=-4.0, max=4.0", "min=-4.0, max=4.0, num_bits=4"), "FakeQuant: it has another number of bits"),
        (("low = const(float32, 0.0)", "low = input(float32)"), "FakeQuant: the range is not constant"),
    ],
)
def test_others_stay(change, reason):
    graph, result = parse(QAT.replace(*change)), PassResult()
    assert len(take_ranges(graph, result)) == 2
    assert list(result.declined) == [reason]
    assert np.sum([o.startswith("FakeQuant") for o in ops(graph)]) == 1


def test_readers_in_float_still_read_rounded_values(tmp_path):
    graph = parse(QAT)
    model = Model(tmp_path, "graphdef", [graph], Library([]), {}, {})
    compute_in_int8(model, PassOptions(precision="int8"))  # both layers are ends: nothing is in 8 bits
    assert sum(o.startswith("FakeQuant") for o in ops(graph)) == 3
    feeds = random_feeds(parse(QAT))
    assert sqnr_db(run(parse(QAT), feeds)["y:0"], run(graph, feeds)["y:0"]) > 28


def test_a_value_that_others_read_unrounded_keeps_its_op():
    graph, result = parse(QAT.replace("return y", "z = Neg(r)\nreturn y, z")), PassResult()
    take_ranges(graph, result)
    assert list(result.declined) == ["FakeQuant: its input is read elsewhere"]
