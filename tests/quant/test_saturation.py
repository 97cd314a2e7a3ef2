"""Sums of 8-bit products on CPUs that overflow: kernels that do not, and models that say so before they answer."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.harness import parse, run
from tests.quant.int8 import EVERY
from tfpare.api import OptimizeOptions, optimize
from tfpare.errors import TfpareError
from tfpare.passes.base import PassResult
from tfpare.quant.emit import emit
from tfpare.quant.numerics import REDUCED_LIMIT, WEIGHT_LIMIT
from tfpare.quant.options import QuantOptions
from tfpare.quant.saturation import add_guard, decided, saturating_ops
from tfpare.quant.scheme import make_scheme
from tfpare.quant.units import KernelRounding, find_units
from tfpare.runtime import infer_shapes

FIXTURES = Path(__file__).parents[1] / "data" / "fixtures"
OVERFLOWS = bool(saturating_ops())
KERNELS = {"Conv2D": [3, 3, 32, 16], "DepthwiseConv2dNative": [3, 3, 32, 1], "MatMul": [32, 16]}
FULL, REDUCED = QuantOptions(ends="int8", reduce_range=False), QuantOptions(ends="int8", reduce_range=True)


def layer(op, lowest):
    """A layer whose inputs and weights are all 1: in 8 bits every product is the largest one."""
    rows = [4, 32] if op == "MatMul" else [2, 8, 8, 32]
    attrs = "" if op == "MatMul" else ", strides=[1,1,1,1], padding=VALID"
    graph = parse(f"x = input(float32{rows})\nk = const(float32{KERNELS[op]})\ny = {op}(x, k{attrs})\nreturn y")
    ones = graph.const(np.ones(KERNELS[op], np.float32))
    node = graph.nodes["y"]
    graph.set_inputs(node, [node.inputs[0], ones])
    infer_shapes(graph)
    total = float(np.prod(KERNELS[op][:-1] if op != "DepthwiseConv2dNative" else KERNELS[op][:2]))
    ranges = {node.inputs[0]: (lowest, 1.0), node.out(): (lowest * total, total)}
    return graph, ranges, {"x:0": np.ones(rows, np.float32)}, total


@pytest.mark.parametrize("lowest", [0.0, -1.0])
@pytest.mark.parametrize("op", KERNELS)
def test_the_largest_sum_is_right_on_this_machine(op, lowest):
    graph, ranges, feeds, total = layer(op, lowest)
    emit(graph, make_scheme(graph, ranges, EVERY))
    np.testing.assert_allclose(run(graph, feeds)["y:0"], total, rtol=0.01)


@pytest.mark.skipif(not OVERFLOWS, reason="sums do not overflow here")
@pytest.mark.parametrize("op", sorted(saturating_ops()))
def test_it_would_be_wrong_with_the_full_range(op):
    """What the rest is about. Depthwise kernels multiply in 32 bits."""
    assert op in ("Conv2D", "MatMul")
    graph, ranges, feeds, total = layer(op, 0.0)
    emit(graph, make_scheme(graph, ranges, FULL))
    assert run(graph, feeds)["y:0"].max() < 0.6 * total


@pytest.mark.parametrize("op", KERNELS)
def test_reduced_kernels_cannot_overflow_an_int16(op):
    graph = layer(op, 0.0)[0]
    (unit,) = find_units(graph, PassResult(), KernelRounding(reduce_range=True))
    largest = int(np.abs(unit.kernel.values).max())
    assert largest == (WEIGHT_LIMIT if op == "DepthwiseConv2dNative" else REDUCED_LIMIT)
    assert op == "DepthwiseConv2dNative" or 2 * 255 * largest <= np.iinfo(np.int16).max


@pytest.mark.parametrize("op", ["Conv2D", "MatMul"])
def test_the_guard_lets_sums_pass_that_fit(op):
    graph, ranges, feeds, total = layer(op, 0.0)
    scheme = make_scheme(graph, ranges, REDUCED)
    emit(graph, scheme)
    assert add_guard(graph, scheme, REDUCED_LIMIT)
    graph.check()
    infer_shapes(graph)
    np.testing.assert_allclose(run(graph, feeds)["y:0"], total, rtol=0.01)


@pytest.mark.parametrize("op", ["Conv2D", "MatMul"])
def test_the_guard_stops_a_model_whose_sums_overflow(op):
    graph, ranges, feeds, total = layer(op, 0.0)
    scheme = make_scheme(graph, ranges, FULL)
    emit(graph, scheme)
    assert add_guard(graph, scheme)
    if OVERFLOWS:
        with pytest.raises(Exception, match="adds 8-bit products with overflow"):
            run(graph, feeds)
    else:
        np.testing.assert_allclose(run(graph, feeds)["y:0"], total, rtol=0.01)


def test_a_depthwise_layer_alone_needs_no_guard():
    graph, ranges, _, _ = layer("DepthwiseConv2dNative", 0.0)
    scheme = make_scheme(graph, ranges, FULL)
    emit(graph, scheme)
    before = len(graph)
    assert not add_guard(graph, scheme)
    assert len(graph) == before


def test_what_the_user_says_stays():
    assert decided(FULL) is FULL
    assert decided(REDUCED) is REDUCED
    assert decided(QuantOptions()).reduce_range == OVERFLOWS
    portable = QuantOptions(portable=True)
    assert decided(portable) is portable


@pytest.mark.parametrize("full", [True, False])
def test_a_whole_model_is_guarded_or_reduced(tmp_path, full):
    """Through a second optimization too: nobody folds the question away on the machine that makes the model."""
    model, out = FIXTURES / "tf2_keras_mnist" / "saved_model", tmp_path / "out"
    with np.load(FIXTURES / "tf1_mnist_convnet" / "eval.npz") as data:
        np.savez(tmp_path / "samples.npz", image=data["images"][:32, ..., None].astype(np.float32))
    int8 = QuantOptions(data=str(tmp_path / "samples.npz"), ends="int8", reduce_range=not full)
    options = OptimizeOptions(precision="int8", int8=int8)
    if full and OVERFLOWS:
        with pytest.raises(TfpareError, match="adds 8-bit products with overflow"):
            optimize(model, out, options)
        assert not out.exists()
    verify = not (full and OVERFLOWS)
    report = optimize(model, out, replace(options, verify=verify))
    assert any(("overflow" if full else "−64…64") in n for n in report.notes)
    assert ("Assert" in report.after.ops) == full
    again = optimize(out, tmp_path / "again", OptimizeOptions(verify=verify))
    assert ("Assert" in again.after.ops) == full
    if not verify:
        import tensorflow as tf

        call = tf.saved_model.load(str(tmp_path / "again")).signatures["serving_default"]
        with pytest.raises(tf.errors.InvalidArgumentError, match="--reduce-range"):
            call(image=np.zeros((1, 28, 28, 1), np.float32))
