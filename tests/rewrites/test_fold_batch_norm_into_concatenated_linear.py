import pytest

from tests.harness import apply, assert_declines, assert_same, parse, random_feeds, run
from tfpare.engine.rule import Effect

NAME = "fold_batch_norm_into_concatenated_linear"


def concat(parts, axis="int32, 3", sizes=(2, 3, 4), training="false", extra="return y"):
    total = sum(sizes[: len(parts)]) if axis.endswith(("3", "-1")) else sizes[0]
    lines = ["x = input(float32[2,5,5,3])"]
    for k, part in enumerate(parts):
        channels = sizes[k] if axis.endswith(("3", "-1")) else sizes[0]
        lines.append(f"k{k} = const(float32[3,3,3,{channels}])")
        lines.append(f"c{k} = Conv2D(x, k{k}, strides=[1,1,1,1], padding=SAME)")
        lines.append(f"b{k} = const(float32[{channels}])")
        lines.append(f"p{k} = {part.format(k=k)}")
    names = ", ".join(f"p{k}" for k in range(len(parts)))
    lines += [f"axis = const({axis})", f"joined = ConcatV2({names}, axis, N={len(parts)})"]
    lines += [f"{name} = const(float32[{total}])" for name in ("gamma", "beta", "mean", "variance")]
    lines.append(f"y = FusedBatchNormV3(joined, gamma, beta, mean, variance, is_training={training})")
    return "\n".join([*lines, extra])


PLAIN, BIASED = "Identity(c{k})", "BiasAdd(c{k}, b{k})"


def fires(source):
    graph, original = parse(source), parse(source)
    apply(graph, "remove_identity")
    assert apply(graph, NAME)[NAME].applied == 1
    assert not any(n.op == "FusedBatchNormV3" for n in graph)
    feeds = random_feeds(original)
    assert_same(run(original, feeds), run(graph, feeds), Effect.ROUNDING)
    return graph


def test_declines_a_part_that_is_no_convolution():
    assert_declines(NAME, concat([BIASED, "Relu(c{k})"]), "a part is no convolution")


def test_declines_a_part_that_is_read_elsewhere():
    assert_declines(NAME, concat([BIASED, BIASED], extra="z = Relu(c0)\nreturn y, z"), "another node reads a part")


def test_declines_a_part_that_is_fetched():
    assert_declines(NAME, concat([BIASED, BIASED], extra="return y, p0"), "another node reads a part")


def test_declines_a_part_that_comes_twice():
    source = concat([BIASED, BIASED], sizes=(2, 2)).replace("ConcatV2(p0, p1,", "ConcatV2(p0, p0,")
    graph, original = parse(source), parse(source)
    apply(graph, NAME)
    feeds = random_feeds(original)
    assert_same(run(original, feeds), run(graph, feeds), Effect.ROUNDING)


def test_declines_batch_statistics():
    assert_declines(NAME, concat([BIASED, BIASED], training="true"), "own statistics")


def test_declines_biases_that_are_not_constant():
    source = concat([BIASED, BIASED]).replace("b1 = const(", "b1 = input(")
    assert_declines(NAME, source, "a bias is not constant")


@pytest.mark.parametrize("axis", ["int32, 3", "int32, -1", "int64, -1", "int32, 2", "int64, -4"])
@pytest.mark.parametrize("parts", [[BIASED, PLAIN], [PLAIN, PLAIN, BIASED]], ids=["two", "three"])
def test_fires(axis, parts):
    graph = fires(concat(parts, axis))
    assert sum(n.op == "BiasAdd" for n in graph) == len(parts)
