"""A graph to train → one that trains with the rounding of 8 bits, and learns the ranges."""

from __future__ import annotations

from tfpare.compat.eightbit.fake_quants import FAKE_QUANT
from tfpare.compat.eightbit.moving_average import Averages
from tfpare.compat.eightbit.saving import save_variables
from tfpare.compat.registry import transform
from tfpare.compat.work import Work
from tfpare.engine.placement import Placement
from tfpare.engine.rule import Effect
from tfpare.ir.graph import Graph, Node, Value

_QUANTIZED = ("MatMul", "Conv2D")
_BACKWARD = "gradients"  # what the names of tf.gradients begin with
_RANGES = {"Relu6": (0.0, 6.0), "Sigmoid": (0.0, 1.0), "Tanh": (-1.0, 1.0)}
_KEEPS_RANGE = {"Identity", "Reshape", "MaxPool", "AvgPool", "MaxPool3D", "AvgPool3D", "StopGradient"}


@transform(effect=Effect.LOSSY)
def fake_quantize_training(work: Work) -> None:
    """Reads every float32 input x of MatMul and Conv2D through x/FakeQuantWithMinMaxVars of 8 bits.

    The range is constant behind Relu6, Sigmoid and Tanh. Else it is a moving average of what was seen, in two new
    variables x/Min/Variable and x/Max/Variable, which the graph's saver saves and restores. Nodes whose names begin
    with "gradients" are left alone. Freeze the trained graph and run remove_ema, then quantize_nodes.

    Differs: measured ranges contain 0 (FakeQuant moves others, so that the original clips tensors of large values, and
    gives NaN for tensors of equal ones); every output of a node has its own FakeQuant; a concatenation has a known
    range only where all its inputs have one (the original takes the first one's); any number of inputs of unknown range
    is allowed; inputs that are not float32, loops and function bodies, which hold no such variables, are left alone.
    Source: the Graph Transform Tool's fake_quantize_training.
    """
    graph = work.model().graphs[0]
    placement, averages, made = Placement(graph), Averages(graph), dict[Value, Value]()
    for node in [n for n in graph if n.op in _QUANTIZED and not n.name.startswith(_BACKWARD)]:
        if placement.is_conditional(node) or node in graph.pinned:
            work.notes.append(f"{node.name} is left alone: it runs in a loop, in a branch, or before the first call.")
            continue
        for value in dict.fromkeys(node.inputs):
            if value.dtype.base.name == "float32" and value not in made:
                made[value] = _fake_quant(graph, averages, value)
        graph.set_inputs(node, (made.get(v, v) for v in node.inputs))
    save_variables(graph, averages.variables)


def _fake_quant(graph: Graph, averages: Averages, value: Value) -> Value:
    base = f"{value.node.name}/port{value.index}" if value.index else value.node.name
    known = _known_range(value)
    low, high = averages.constants(base, known) if known is not None else averages.measured(base, value)
    inputs = (value, low, high)
    return graph.add(FAKE_QUANT, inputs, {"num_bits": 8}, name=f"{base}/{FAKE_QUANT}", shapes=(value.shape,)).out()


def _known_range(value: Value) -> tuple[float, float] | None:
    """The range that the op behind a value has, whatever its input."""
    node = value.node
    if node.op in _RANGES:
        return _RANGES[node.op]
    if node.op in _KEEPS_RANGE:
        return _known_range(node.inputs[0])
    ranges = [_known_range(v) for v in _parts(node)]
    known = [r for r in ranges if r is not None]
    if not known or len(known) < len(ranges):
        return None
    return min(low for low, _ in known), max(high for _, high in known)


def _parts(node: Node) -> list[Value]:
    """The tensors that a concatenation joins."""
    return list(node.inputs[:-1]) if node.op == "ConcatV2" else []
