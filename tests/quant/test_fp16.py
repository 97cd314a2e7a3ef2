"""store_as_float16: what is stored, what stays and why, traps."""

import numpy as np
import pytest

from tests.harness import parse, random_feeds, run
from tests.quant.precision import assert_close, convert, count
from tests.traps import TRAPS
from tfpare.ir.graph import Graph

PASS = "store_as_float16"
FP16 = 2e-3  # of the largest magnitude: weights are rounded by 2^-12
SOURCE = (
    "x = input(float32[2,64])\nk = const(float32[64,32])\nc = MatMul(x, k)\nb = const(float32[32])\n"
    "y = BiasAdd(c, b)\nreturn y"
)


def with_kernel(change) -> Graph:
    graph = parse(SOURCE)
    kernel = graph.nodes["k"].out().constant
    assert kernel is not None
    change(kernel)
    return graph


def test_weights_are_stored_as_float16_and_computed_in_float32():
    graph = parse(SOURCE)
    assert convert(PASS, graph).applied == 1
    cast = graph.nodes["c"].inputs[1].node
    assert (cast.op, cast.inputs[0].dtype.name, cast.dtypes[0].name) == ("Cast", "float16", "float32")
    assert graph.nodes["c"].dtypes[0].name == "float32"
    assert graph.nodes["b"].dtypes[0].name == "float32"  # 32 numbers are not worth a Cast
    assert_close(parse(SOURCE), graph, FP16)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (7e4, "a value is beyond the range of float16"),
        (-7e4, "a value is beyond the range of float16"),
    ],
)
def test_declines_what_would_overflow(value, reason):
    graph = with_kernel(lambda kernel: kernel.__setitem__((3, 4), value))
    result = convert(PASS, graph)
    assert (result.applied, result.declined[reason]) == (0, 1)
    assert count(graph, "Cast") == 0


def test_the_largest_number_of_float16_is_within_its_range():
    graph = with_kernel(lambda kernel: kernel.__setitem__((3, 4), 65504.0))
    assert convert(PASS, graph).applied == 1


def test_declines_weights_that_would_lose_bits():
    graph = with_kernel(lambda kernel: np.multiply(kernel, 1e-7, out=kernel))
    assert convert(PASS, graph).declined["all values are below the normal range of float16"] == 1


def test_weights_of_zero_have_none_to_lose():
    graph = with_kernel(lambda kernel: kernel.fill(0))
    assert convert(PASS, graph).applied == 1


def test_nan_and_infinity_stay():
    def change(kernel):
        kernel[0, :3] = [np.nan, np.inf, -np.inf]

    graph = with_kernel(change)
    convert(PASS, graph)
    assert_close(with_kernel(change), graph, FP16)


@pytest.mark.parametrize("mark", ["fed", "pinned"])
def test_what_others_know_by_name_stays(mark):
    graph = parse(SOURCE)
    if mark == "fed":
        graph.fed.add(graph.nodes["k"].out())
    else:
        graph.pinned.add(graph.nodes["k"])
    assert convert(PASS, graph).declined["a caller feeds it, or it is pinned"] == 1


def test_says_what_is_cast_in_every_call():
    graph = parse("x = input(float32[1,1024])\nk = const(float32[1024,2600])\ny = MatMul(x, k)\nreturn y")
    assert convert(PASS, graph).notes == ["float16: 1 constants of 10 MiB or more are cast to float32 in every call"]


def test_integers_and_doubles_stay():
    graph = parse("x = input(float64[2,64])\nk = const(float64[64,32])\ny = MatMul(x, k)\nreturn y")
    assert convert(PASS, graph).applied == 0


@pytest.mark.parametrize("trap", TRAPS)
def test_trap_keeps_answers(trap):
    for position in range(len(parse(SOURCE))):
        graph, original = parse(SOURCE), parse(SOURCE)
        if TRAPS[trap](graph, list(graph)[position]):
            assert TRAPS[trap](original, list(original)[position])
            convert(PASS, graph)
            assert_close(original, graph, FP16)


def test_a_fetched_weight_is_what_was_stored():
    graph = parse(SOURCE)
    graph.outputs["k:0"] = graph.nodes["k"].out()
    kernel = graph.nodes["k"].out().constant
    assert kernel is not None
    convert(PASS, graph)
    got = run(graph, random_feeds(graph))["k:0"]
    np.testing.assert_array_equal(got, kernel.astype(np.float16).astype(np.float32))
