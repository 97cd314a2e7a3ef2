"""PartitionedCall(f)(x) → the body of f."""

from __future__ import annotations

from typing import Any

from tfpare.compat.bodies import bodies, data_inputs
from tfpare.compat.registry import transform
from tfpare.compat.work import Work
from tfpare.engine.rule import Effect
from tfpare.errors import UnsupportedModel
from tfpare.ir.ops import CALLS


@transform(effect=Effect.EXACT)
def inline_partitionedcall(work: Work) -> None:
    """Replaces calls by copies of the functions' bodies, whose nodes are named CALL/NODE; runs inline_functions.

    Differs: also StatefulPartitionedCall, calls by the function's name, and calls within functions, all at once; what a
    call waits for and the function's side effects stay in order; outputs are found by name, so that ops with several
    named outputs are read right; functions that nobody calls any more are removed.
    Source: the Graph Transform Tool's inline_partitionedcall.
    """
    for body in bodies(work):
        for node in body.nodes:
            if node.op in CALLS:
                _check(node, body.functions)
    graph = work.model().graphs[0]
    graph.keep.clear()  # nodes that nobody reads are no side effects that a caller would wait for
    work.simplify(["inline_functions"])
    outputs = graph.output_nodes()
    graph.keep.update((n, None) for n in graph if not n.readers and n not in outputs)


def _check(node: Any, functions: Any) -> None:
    if "f" not in node.attr or node.attr["f"].WhichOneof("value") != "func":
        raise UnsupportedModel(f"{node.op} {node.name!r} has no attribute f that names a function.")
    called = node.attr["f"].func.name
    if called not in functions:
        raise UnsupportedModel(f"{node.op} {node.name!r} calls {called!r}, which is not among the graph's functions.")
    given, taken = len(data_inputs(node)), len(functions[called].input_arg)
    if given != taken:
        raise UnsupportedModel(f"{node.op} {node.name!r} has {given} inputs, but {called!r} takes {taken}.")
