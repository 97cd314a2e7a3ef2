import numpy as np
import pytest

from tests.harness import apply, assert_declines, assert_ignores, parse, run, run_pipeline

NAME = "fold_fill"


HEAD = (
    "s = input(string[2])\nv = input(variant[])\nd = const(int32, [2])\nn = input(float32[])\nt = const(string, b't')\n"
)


@pytest.mark.parametrize("line", ["ZerosLike(s)", "ZerosLike(v)", "Fill(d, n)", "Fill(d, t)"])
def test_ignores(line):
    assert_ignores(NAME, f"{HEAD}y = {line}\nreturn y")


@pytest.mark.parametrize(("x", "reason"), [("?,3", "not known"), ("*", "not known"), ("2000,2000", "large")])
def test_declines(x, reason):
    assert_declines(NAME, f"x = input(float32[{x}])\ny = ZerosLike(x)\nreturn y", reason)


def test_declines_open_fill():
    assert_declines(NAME, "d = input(int32[2])\nn = const(float32)\ny = Fill(d, n)\nreturn y", "not known")


def test_declines_effect():
    assert_declines(NAME, "x = input(float32[2])\ns = Print(x, x)\ny = ZerosLike(s)\nreturn y", "effect")


@pytest.mark.parametrize("type_", ["float16", "bfloat16", "float64", "complex64", "int8", "uint8", "int64", "bool"])
@pytest.mark.parametrize("op", ["ZerosLike", "OnesLike"])
def test_types(op, type_):
    text = f"x = input({type_}[2,3])\ny = {op}(x)\nreturn y"
    graph = parse(text)
    assert apply(graph, NAME)[NAME].applied == 1
    feeds = {"x:0": np.ones((2, 3), graph.nodes["x"].dtypes[0].numpy)}
    before, after = run(parse(text), feeds)["y:0"], run(graph, feeds)["y:0"]
    assert before.dtype == after.dtype
    np.testing.assert_array_equal(before, after)


def test_fill_whose_shape_follows_from_elsewhere():
    graph = run_pipeline(
        parse(
            """
            x = input(float32[4,3])
            n = const(float32, 7)
            s = Shape(x)
            z = Fill(s, n)
            y = Maximum(x, z)
            return y
            """
        )
    )
    assert sorted(n.op for n in graph) == ["Const", "Maximum", "Placeholder"]


def test_large_ones_are_stored_as_one_number():
    graph = parse("x = input(float32[1000,1000])\ny = OnesLike(x)\nreturn y")
    apply(graph, NAME)
    array = graph.outputs["y:0"].constant
    assert array is not None
    assert array.strides == (0, 0)
