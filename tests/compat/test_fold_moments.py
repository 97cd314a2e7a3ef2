"""fold_batch_norms_algebraic and fold_moments: batch norm as arithmetic, with stored and with computed statistics."""

import pytest

from tests.compat.helpers import (
    assert_answers,
    assert_close,
    build,
    feeds_for,
    inputs_of,
    names,
    node,
    ops,
    transform,
    written,
)

MOMENTS = """
x = input(float32[2,4,4,3])
axes = const(int32, [0,1,2])
mean_op = Mean(x, axes)
d = Sub(x, mean_op)
sq = {square}
axes2 = const(int32, [0,1,2])
variance_op = Mean(sq, axes2)
"""
NORM = """
epsilon = const(float32, 0.001)
a = AddV2(variance_op, epsilon)
r = Rsqrt(a)
gamma = const(float32[3])
s = Mul(r, gamma)
scaled = Mul(x, s)
beta = const(float32[3])
m = Mul(mean_op, s)
shift = Sub(beta, m)
normal = AddV2(scaled, shift)
output = Relu(normal)
return output
"""
SQUARE = MOMENTS.format(square="Mul(d, d)")


def folded(source, outputs, how):
    before = written(source)
    return before, transform(before, ["x"], outputs, how)


def test_arithmetic_becomes_one_node():
    before, after = folded(SQUARE + NORM, ["output"], "fold_batch_norms_algebraic")
    assert node(after, "normal__BatchNorm").op == "FusedBatchNormV3"
    assert inputs_of(after, "normal__BatchNorm") == ["x", "gamma", "beta", "mean_op", "variance_op"]
    assert inputs_of(after, "output") == ["normal__BatchNorm"]
    assert len(after.node) == len(before.node) - 7
    assert_close(before, after, feeds_for(before), "output")


def test_an_output_keeps_its_name():
    before, after = folded(
        (SQUARE + NORM).replace("return output", "return normal"), ["normal"], "fold_batch_norms_algebraic"
    )
    assert node(after, "normal").op == "FusedBatchNormV3"
    assert_close(before, after, feeds_for(before), "normal")


def test_both():
    before, after = folded(SQUARE + NORM, ["output"], "fold_batch_norms_algebraic fold_moments")
    assert inputs_of(after, "normal__BatchNorm")[3:] == ["mean_op__moments", "mean_op__moments:1"]
    assert_close(before, after, feeds_for(before), "output")


@pytest.mark.parametrize("square", ["Mul(d, d)", "Square(d)"])
def test_moments_become_one_node(square):
    source = MOMENTS.format(square=square) + "u = Neg(mean_op)\nv = Sqrt(variance_op)\nreturn u, v"
    before, after = folded(source, ["u", "v"], "fold_moments")
    assert inputs_of(after, "u") == ["mean_op__moments"]
    assert inputs_of(after, "v") == ["mean_op__moments:1"]
    assert len(after.node) <= len(before.node) - 4
    assert not {"Mean", "Sub"} & set(ops(after))
    assert_answers(before, after, feeds_for(before), "u", "v")


def test_moments_that_are_outputs_keep_their_names():
    before, after = folded(f"{SQUARE}return mean_op, variance_op", ["mean_op", "variance_op"], "fold_moments")
    assert ops(after) == {"Placeholder": 1, "PartitionedCall": 1, "Identity": 1}
    assert_answers(before, after, feeds_for(before), "mean_op", "variance_op")


def test_what_is_no_square_stays():
    source = MOMENTS.format(square="Mul(d, x)") + "return mean_op, variance_op"
    before, after = folded(source, ["mean_op", "variance_op"], "fold_moments")
    assert sorted(names(after)) == sorted(names(before))


def test_the_mean_of_something_else_stays():
    source = SQUARE.replace("d = Sub(x,", "z = Neg(x)\nd = Sub(z,") + "return mean_op, variance_op"
    before, after = folded(source, ["mean_op", "variance_op"], "fold_moments")
    assert sorted(names(after)) == sorted(names(before))


def test_a_difference_that_something_else_reads_stays():
    before, after = folded(f"{SQUARE}z = Neg(d)\nreturn z, variance_op", ["z", "variance_op"], "fold_moments")
    assert sorted(names(after)) == sorted(names(before))


def test_what_tensorflow_writes_today():
    def make(v1):
        x = v1.placeholder("float32", [2, 4, 4, 3], name="x")
        mean, variance = v1.nn.moments(x, [0, 1, 2])
        again = v1.nn.moments(v1.tanh(x), [0, 1, 2])
        y = v1.nn.batch_normalization(
            x, mean, variance, v1.constant([0.1, 0.2, 0.3]), v1.constant([1.0, 2.0, 3.0]), 1e-3
        )
        v1.add(y, again[0] * again[1], name="output")

    before = build(make)
    after = transform(before, ["x"], ["output"], "fold_constants fold_batch_norms_algebraic fold_moments")
    assert ops(after)["PartitionedCall"] == 2
    assert len(after.library.function) == 1
    assert ops(after)["FusedBatchNormV3"] == 1
    assert_close(before, after, feeds_for(before), "output")
