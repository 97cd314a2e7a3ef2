"""What happens to the control edges of a match, and what the Builder lets a rule see."""

import numpy as np
import pytest

from tests.harness import apply, canonical, parse, run
from tfpare.engine.builder import Builder
from tfpare.ir.graph import Graph, Value


def node(graph: Graph, name: str) -> Value:
    return graph.nodes[name].out()


def test_readers_take_over_control_edges_and_others_do_not():
    # `r` is what the identity waits for: were every reader of x to wait, `r` would wait for itself.
    graph = parse(
        """
        x = input(float32[2])
        r = Relu(x)
        i = Identity(x, ^r)
        y = Neg(i)
        return y
        """
    )
    apply(graph, "remove_identity")
    assert "i" not in graph.nodes
    assert graph.nodes["y"].controls == (graph.nodes["r"],)
    assert graph.nodes["r"].controls == ()


def test_output_keeps_what_it_waits_for():
    text = "x = input(float32[2])\nr = Relu(x)\ni = Identity(x, ^r)\nreturn i"
    graph = parse(text)
    stats = apply(graph, "remove_identity")["remove_identity"]
    assert canonical(graph) == canonical(parse(text))
    assert "an output of the model waits for its control inputs" in stats.declined


def test_fed_root_stays():
    graph = parse("x = input(float32[2])\ni = Identity(x)\ny = Relu(i)\nreturn y")
    graph.fed.add(node(graph, "i"))
    assert apply(graph, "remove_identity")["remove_identity"].applied == 0


@pytest.fixture
def graph() -> Graph:
    return parse("x = input(float32[2])\nc = const(float32[2])\na = Relu(x)\ny = AddV2(a, c)\nreturn y")


@pytest.fixture
def new(graph: Graph) -> Builder:
    return Builder(graph, graph.nodes["y"], "rule")


def test_constant_of(graph, new):
    np.testing.assert_array_equal(new.constant_of(node(graph, "c")), graph.nodes["c"].attrs["value"])
    assert new.constant_of(node(graph, "x")) is None
    graph.fed.add(node(graph, "c"))
    assert new.constant_of(node(graph, "c")) is None


def test_producer(graph, new):
    a = node(graph, "a")
    assert new.producer(a, "Relu6 | Relu") is a.node
    assert new.producer(a, "Relu6") is None
    graph.fed.add(a)
    assert new.producer(a, "Relu") is None


def test_can_absorb(graph, new):
    assert new.can_absorb(node(graph, "a"))


@pytest.mark.parametrize("how", ["output", "fed", "pinned", "kept", "read", "waits", "placed"])
def test_cannot_absorb(graph, new, how):
    a = node(graph, "a")
    if how == "output":
        graph.outputs["a:0"] = a
    elif how == "fed":
        graph.fed.add(a)
    elif how == "pinned":
        graph.pinned.add(a.node)
    elif how == "kept":
        graph.keep[a.node] = None
    elif how == "read":
        graph.add("Neg", [a], {"T": a.dtype}, name="other")
    elif how == "waits":
        graph.set_controls(a.node, [graph.nodes["c"]])
    else:
        a.node.device = "/device:GPU:0"
    assert not new.can_absorb(a)


@pytest.mark.parametrize("condition", [True, False])
def test_constant_that_replaces_a_branch_stays_in_the_branch(condition):
    text = """
        x = input(float32[?,7])
        p = input(bool)
        other = const(int32, 0)
        b = const(int32, [1])
        e = const(int32, [2])
        f, t = Switch(x, p)
        s = Shape(t)
        width = StridedSlice(s, b, e, b, shrink_axis_mask=1)
        nf, nt = Switch(other, p)
        negative = Neg(nf)
        m = Merge(negative, width)
        y = Neg(m)
        return y
        """
    graph = parse(text)
    graph.nodes["f"].shapes = (graph.nodes["x"].shapes[0],) * 2
    assert apply(graph, "fold_shape_slice")["fold_shape_slice"].applied == 1
    feeds = {"x:0": np.zeros((2, 7), np.float32), "p:0": np.array(condition)}
    assert run(graph, feeds)["y:0"] == run(parse(text), feeds)["y:0"] == (-7 if condition else 0)


@pytest.mark.parametrize("condition", [True, False])
def test_zeros_in_a_branch(condition):
    text = """
        x = input(int32[2])
        p = input(bool)
        zero = const(int32, 0)
        f, t = Switch(x, p)
        z = Mul(t, zero)
        m = Merge(f, z)
        y = Neg(m)
        return y
        """
    graph = parse(text)
    graph.nodes["f"].shapes = (graph.nodes["x"].shapes[0],) * 2
    assert apply(graph, "fold_multiplication_by_zero")["fold_multiplication_by_zero"].applied == 1
    feeds = {"x:0": np.array([3, 4], np.int32), "p:0": np.array(condition)}
    np.testing.assert_array_equal(run(graph, feeds)["y:0"], run(parse(text), feeds)["y:0"])


def test_new_constants_do_not_keep_the_old_nodes_alive():
    """A graph with a branch elsewhere: the folded convolution is the only one left."""
    graph = parse(
        """
        p = input(bool)
        x = input(float32[2,6,6,3])
        k = const(float32[3,3,3,4])
        conv = Conv2D(x, k, strides=[1,1,1,1], padding=SAME)
        gamma = const(float32[4])
        beta = const(float32[4])
        mean = const(float32[4])
        variance = const(float32[4])
        y = FusedBatchNormV3(conv, gamma, beta, mean, variance, is_training=false)
        f, t = Switch(y, p)
        n = Neg(f)
        m = Merge(n, t)
        return m
        """
    )
    apply(graph, "fold_batch_norm_into_linear")
    assert sum(n.op == "Conv2D" for n in graph) == 1
    assert not any(n.controls for n in graph)
