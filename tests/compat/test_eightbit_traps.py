"""Every trap at every node of a small network: the 8-bit transforms still answer nearly the same."""

import numpy as np
import pytest

from tests.compat.helpers import run, transform
from tests.harness import parse
from tests.traps import TRAPS
from tfpare.io import graphdef

NETS = {
    "classifier": """
        x = input(float32[2,6,6,3])
        k = const(float32[3,3,3,4])
        c = Conv2D(x, k, strides=[1,2,2,1], padding=SAME)
        o = const(float32[4])
        b = BiasAdd(c, o)
        r = Relu(b)
        p = MaxPool(r, ksize=[1,2,2,1], strides=[1,1,1,1], padding=SAME)
        t = const(int32, [2, 36])
        f = Reshape(p, t)
        w = const(float32[36,5])
        m = MatMul(f, w)
        return m
    """,
    "branches": """
        x = input(float32[2,5])
        k = const(float32[5])
        a = Mul(x, k)
        b = AddV2(a, x)
        r = Relu6(b)
        lo = const(float32, -1)
        hi = const(float32, 7)
        q = FakeQuantWithMinMaxVars(r, lo, hi)
        n = const(int32, -1)
        y = ConcatV2(q, x, n)
        return y
    """,
    "parts": """
        x = input(float32[4,5])
        n = const(int32, 0)
        s, t = Split(n, x, num_split=2)
        y = AddV2(s, t)
        z = Relu(y)
        return z
    """,
}
# Each call with the part of the largest answer that its rounding may cost: a fallback range of 60 has wide steps.
CALLS = {
    "quantize_nodes": 0.08,
    "quantize_nodes(fallback_min=-30, fallback_max=30)": 0.25,
    "quantize_weights(minimum_size=4) quantize_nodes": 0.08,
    "round_weights": 0.03,
}


def written(graph):
    from tensorflow.core.framework import graph_pb2

    graph_def = graph_pb2.GraphDef()
    graph_def.versions.producer = graph.producer
    graphdef.write_nodes(graph, graph_def)
    return graph_def


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("trap", [t for t in TRAPS if t != "nan_and_inf_in_constant"])
@pytest.mark.parametrize("net", NETS)
def test_trap_keeps_answers(net, trap, call):
    sprung = 0
    for position in range(len(parse(NETS[net]))):
        graph = parse(NETS[net])
        if not TRAPS[trap](graph, list(graph)[position]):
            continue
        sprung += 1
        before = written(graph)
        outputs = list(graph.outputs)
        after = transform(before, [str(v) for v in graph.fed], outputs, call)
        x = next(n for n in before.node if n.name == "x")
        dims = [2 if d.size < 0 else d.size for d in x.attr["shape"].shape.dim]
        feeds = {"x": np.random.default_rng(position).normal(0, 1, dims).astype(np.float32)}
        for one, other in zip(run(before, feeds, *outputs), run(after, feeds, *outputs), strict=True):
            assert (one.dtype, one.shape) == (other.dtype, other.shape)
            if one.dtype.kind == "f":
                assert np.abs(one - other).max(initial=0) <= CALLS[call] * max(1, np.abs(one).max(initial=0)), position
            else:
                np.testing.assert_array_equal(one, other)
    if not sprung:
        pytest.skip("the trap has no place in this network")
