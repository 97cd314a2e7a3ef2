import numpy as np
import pytest

from tests.harness import apply, assert_declines, assert_ignores, assert_rewrites, parse, run

NAME = "simplify_reshape_target"
BATCH = (
    "zero = const(int32, [0])\none = const(int32, [1])\ns = Shape({x})\n"
    "b = StridedSlice(s, zero, one, one, shrink_axis_mask=1)\n"
)


def packed(parts: str, x: str = "?,6", consts: str = "", of: str = "x") -> str:
    return (
        f"x = input(float32[{x}])\nz = input(float32[?,5])\nd = input(int32[])\n{BATCH.format(x=of)}{consts}"
        f"target = Pack({parts})\nr = Reshape(x, target)\ny = ZerosLike(r)\nreturn y"
    )


def ints(**values: int) -> str:
    return "".join(f"{name} = const(int32, {value})\n" for name, value in values.items())


def test_ignores_constant_target():
    assert_ignores(NAME, "x = input(float32[?,6])\nt = const(int32, [-1, 2, 3])\ny = Reshape(x, t)\nreturn y")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (packed("d, d"), "more than one"),
        (packed("b, m", consts=ints(m=-1), of="z"), "more than one"),  # the batch of another value
        (packed("b, m", "?,?", consts=ints(m=-1)), "more than one"),
        (packed("b, n, m", consts=ints(m=-1, n=4)), "more than one"),  # 6 is no multiple of 4
        (packed("b, n", consts=ints(n=0)), "a dimension is 0"),
        ("x = input(float32[?,6])\nt = input(int32[?])\ny = Reshape(x, t)\nreturn y", "nothing is known"),
    ],
)
def test_declines(text, reason):
    assert_declines(NAME, text, reason)


@pytest.mark.parametrize(
    ("text", "target"),
    [
        (packed("b, two, three", consts=ints(two=2, three=3)), [-1, 2, 3]),
        (packed("two, b, three", consts=ints(two=2, three=3)), [2, -1, 3]),
        (packed("b, two, m", consts=ints(two=2, m=-1)), [-1, 2, 3]),
        (packed("b, m", "?,3,2", consts=ints(m=-1)), [-1, 6]),
    ],
)
@pytest.mark.parametrize("batch", [0, 4])
def test_fires_for_any_batch(text, target, batch):
    graph, original = parse(text), parse(text)
    assert apply(graph, NAME)[NAME].applied == 1
    assert graph.nodes["r"].inputs[1].constant.tolist() == target
    dims = [batch if d is None else d for d in original.nodes["x"].shapes[0].dims]
    feed = {"x:0": np.zeros(dims, np.float32), "z:0": np.zeros((2, 5), np.float32), "d:0": np.int32(1)}
    fed = {k: v for k, v in feed.items() if k[0] in graph.nodes}
    if batch or "-1" not in text:  # TensorFlow refuses to infer -1 for an empty tensor with an empty dimension
        assert run(original, feed)["y:0"].shape == run(graph, fed)["y:0"].shape
    assert run(graph, fed)["y:0"].shape == tuple(batch if t == -1 else t for t in target)


def test_unknown_scalar():
    source = (
        "x = input(float32[2,6])\nd = input(int32[])\nn = const(int32, 12)\nt = Pack({})\ny = Reshape(x, t)\nreturn y"
    )
    assert_declines(NAME, source.format("d, d, n"), "more than one")
    graph = parse(source.format("d, n"))
    assert apply(graph, NAME)[NAME].applied == 1
    assert graph.nodes["y"].inputs[1].constant.tolist() == [-1, 12]


def test_concatenated_target():
    """Dense on a sequence, as Keras exports it: all but the last dimension of x, then the number of units."""
    assert_rewrites(
        NAME,
        """
        x = input(float32[?,4,6])
        which = const(int32, [0, 1])
        zero = const(int32, 0)
        units = const(int32, [3, 2])
        s = Shape(x)
        outer = GatherV2(s, which, zero)
        t = ConcatV2(outer, units, zero)
        y = Reshape(x, t)
        return y
        """,
        "x = input(float32[?,4,6])\nt = const(int32, [-1, 4, 3, 2])\ny = Reshape(x, t)\nreturn y",
    )
