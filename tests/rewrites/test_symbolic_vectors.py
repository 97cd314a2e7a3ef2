"""Symbolic integer vectors against TensorFlow's own kernels, and what is not known."""

import numpy as np
import pytest

from tests.harness import parse, run
from tfpare.engine.builder import Builder
from tfpare.rewrites.symbolic_vectors import difference, terms


def known(source):
    """What is said of output y, and what TensorFlow computes; None where nothing is said."""
    graph = parse(f"{source}\nreturn y")
    value = graph.outputs["y:0"]
    found = terms(Builder(graph, value.node, "test"), value)
    numbers = None if found is None else np.array([t.offset for t in found.reshape(-1)]).reshape(found.shape)
    return numbers, run(graph, {})["y:0"]


@pytest.mark.parametrize("seed", range(60))
def test_slices_are_those_of_the_kernel(seed):
    rng = np.random.default_rng(seed)
    rank = int(rng.integers(1, 3))
    shape = ",".join(str(n) for n in rng.integers(1, 5, rank))
    begin, end = (rng.integers(-6, 6, rank).tolist() for _ in range(2))
    strides = [int(s) for s in rng.choice([-2, -1, 1, 2, 3], rank)]
    masks = rng.integers(0, 2**rank, 2)
    source = (
        f"x = const(int32[{shape}])\nb = const(int32, {begin})\ne = const(int32, {end})\ns = const(int32, {strides})\n"
        f"y = StridedSlice(x, b, e, s, begin_mask={masks[0]}, end_mask={masks[1]})"
    )
    numbers, right = known(source)
    np.testing.assert_array_equal(numbers, right)


@pytest.mark.parametrize("index", [0, 2, -1, -3])
def test_elements_that_are_picked(index):
    source = f"x = const(int32, [5,6,7])\nb = const(int32, [{index}])\ne = const(int32, [{index + 1}])\n"
    numbers, right = known(f"{source}s = const(int32, [1])\ny = StridedSlice(x, b, e, s, shrink_axis_mask=1)")
    assert numbers.shape == ()
    assert numbers == right


@pytest.mark.parametrize(
    "last",
    [
        "y = Pack(a, b, N=2)",
        "y = Pack(a, b, N=2, axis=1)",
        "axis = const(int32, 0)\ny = ConcatV2(a, b, axis, N=2)",
        "y = AddV2(a, b)",
        "y = Sub(a, b)",
        "y = Identity(a)",
    ],
)
def test_arithmetic_and_joins(last):
    numbers, right = known(f"a = const(int32, [1,2,3])\nb = const(int32, [10,20,40])\n{last}")
    np.testing.assert_array_equal(numbers, right)


def between(source):
    graph = parse(f"x = input(int32[2])\nz = input(int32[2])\nc = const(int32, [3,4])\n{source}\nreturn a, b")
    a, b = graph.outputs.values()
    return difference(Builder(graph, a.node, "test"), a, b)


def test_what_both_add_to_cancels():
    assert between("a = AddV2(x, c)\nb = Identity(x)").tolist() == [3, 4]
    assert between("a = Sub(x, c)\ni = AddV2(c, x)\nb = AddV2(i, c)").tolist() == [-9, -12]


@pytest.mark.parametrize(
    "source",
    ["a = AddV2(x, c)\nb = Identity(z)", "a = Sub(c, x)\nb = Identity(x)", "a = AddV2(x, z)\nb = AddV2(x, c)"],
)
def test_what_differs_is_not_known(source):
    assert between(source) is None


def test_sums_that_broadcast_are_not_known():
    assert between("one = const(int32, 1)\na = AddV2(x, one)\nb = Identity(z)") is None
