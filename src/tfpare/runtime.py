"""The one place that runs TensorFlow: evaluates single ops, infers shapes, and (in children) executes models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfpare import loop_shapes
from tfpare.errors import InvariantError
from tfpare.ir.graph import Graph, Node, Value, functions_of
from tfpare.ir.types import UNKNOWN, Array, Attr, DType, Shape

# Constants above this are not needed to infer shapes: they are replaced by typed placeholders, which saves copies.
_SHAPE_RELEVANT_ELEMENTS = 1024


def evaluate(node: Node, inputs: Sequence[Array]) -> list[Array]:
    """Runs one stateless op on the CPU with TensorFlow's own kernel.

    Args:
        node: op, attributes and output count.
        inputs: one array per data input.

    Raises:
        RuntimeError: the kernel refused.
    """
    import tensorflow as tf
    from tensorflow.python.eager import context, execute

    attrs: list[Any] = []
    for key, value in {**(node.spec.defaults if node.spec else {}), **node.attrs}.items():
        if not key.startswith("_"):
            attrs += [key, _eager_attr(value)]
    try:
        with context.eager_mode(), tf.device("/CPU:0"):  # also in a script that builds graphs or runs without eager
            dtypes = [v.dtype.base.name for v in node.inputs]
            tensors = [tf.constant(a, dtype=t) for a, t in zip(inputs, dtypes, strict=True)]
            results = execute.execute(
                node.op.encode(), len(node.dtypes), inputs=tensors, attrs=tuple(attrs), ctx=context.context()
            )
    except Exception as error:
        raise RuntimeError(str(error).split("\n")[0]) from error
    return [_to_array(r) for r in results]


def _to_array(tensor: Any) -> Array:
    array = np.asarray(tensor.numpy())
    return array.astype(object) if array.dtype.kind in "SU" else array


def _eager_attr(value: Attr) -> Any:
    from tfpare.io import attrs as attr_io

    if isinstance(value, DType):
        return attr_io.dtype_to_enum(value)
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    if isinstance(value, Shape):
        return None if value.dims is None else [-1 if d is None else d for d in value.dims]
    if isinstance(value, tuple):
        return [_eager_attr(v) for v in value]
    return value


def has_gpu() -> bool:
    """Whether TensorFlow sees a GPU on this machine."""
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))


def infer_shapes(graph: Graph) -> None:
    """Annotates every node with the shapes that TensorFlow's shape functions find; an unchanged graph costs nothing.

    Raises:
        InvariantError: TensorFlow does not accept the graph.
    """
    if graph.edits == graph.inferred_at:
        return
    found, assumed = loop_shapes.settle(graph, lambda shapes: _inferred(graph, shapes))
    for node, shapes in found.items():
        node.shapes = tuple(a.merge(b) if a.is_compatible(b) else a for a, b in zip(shapes, node.shapes, strict=True))
    for node, shape in assumed.items():
        known = node.shapes[0]
        node.shapes = (shape.merge(known) if shape.is_compatible(known) else shape, *node.shapes[1:])
    graph.inferred_at = graph.edits


def _inferred(graph: Graph, assumed: Mapping[Node, Shape]) -> dict[Node, tuple[Shape, ...]]:
    """What TensorFlow finds for the nodes that it knows; output 0 of those in `assumed` has that shape."""
    import tensorflow as tf

    graph_def, outside = _shape_graph(graph, assumed)
    with tf.Graph().as_default() as tf_graph:
        try:
            tf.graph_util.import_graph_def(graph_def, name="")
        except Exception as error:
            raise InvariantError(f"TensorFlow does not accept graph {graph.name!r}: {error}") from error
        by_name = {o.name: o for o in tf_graph.get_operations()}
        return {
            n: tuple(_shape(t.shape) for t in by_name[n.name].outputs)
            for n in graph
            if n not in outside and n.op != "Const"
        }


def _shape(shape: Any) -> Shape:
    return UNKNOWN if shape.rank is None else Shape(tuple(shape.as_list()))


def _shape_graph(graph: Graph, assumed: Mapping[Node, Shape]) -> tuple[Any, set[Node]]:
    """A GraphDef that is enough for shape inference; nodes in the returned set became placeholders."""
    from tensorflow.core.framework import graph_pb2

    from tfpare.io import graphdef

    graph_def, outside = graph_pb2.GraphDef(), set[Node]()
    graph_def.versions.producer = graph.producer
    for node in graph:
        if node in assumed or _is_outside(node):
            outside.add(node)

    def ref(value: Value) -> str:
        return f"{value.node.name}/port{value.index}" if value.node in outside else str(value)

    for node in graph:
        if node in outside:
            for port in range(len(node.dtypes)):
                shape = assumed[node] if node in assumed and port == 0 else _declared_shape(node, port)
                _placeholder(node, port, shape, graph_def.node.add())
            if node.readers:
                graph_def.node.add(name=node.name, op="NoOp")
        else:
            written = graph_def.node.add()
            graphdef.write_node(node, ref, written)
            if node.op == "Enter":
                _pass_shape_on(written)
    return graph_def, outside


def _pass_shape_on(written: Any) -> None:
    """Enter has the shape of its input, which TensorFlow's shape function does not say; that of Identity does."""
    written.op = "Identity"
    for key in ("frame_name", "is_constant", "parallel_iterations"):
        written.attr.pop(key, None)


def _is_outside(node: Node) -> bool:
    from tfpare.io.op_registry import op_spec

    if node.op == "Const":
        value = node.out().constant
        return value is not None and value.size > _SHAPE_RELEVANT_ELEMENTS
    if node.op == "_Arg" or node.op.startswith("Placeholder") or functions_of(node) or node.spec is None:
        return True
    return op_spec(node.op) is None  # TF 1 calls functions by their names


def _placeholder(node: Node, port: int, shape: Shape, into: Any) -> None:
    from tfpare.io import attrs as attr_io

    into.name, into.op = f"{node.name}/port{port}", "Placeholder"
    attr_io.encode(node.dtypes[port].base, into.attr["dtype"])
    attr_io.encode(shape, into.attr["shape"])


def _declared_shape(node: Node, port: int) -> Shape:
    known = Value(node, port).shape
    declared = node.attrs.get("output_shapes")
    if known.dims is None and isinstance(declared, tuple) and port < len(declared):
        shape = declared[port]
        return shape if isinstance(shape, Shape) else UNKNOWN
    if known.dims is None and node.op.startswith("Placeholder"):
        shape = node.attrs.get("shape")
        if isinstance(shape, Shape) and shape.dims:
            node.shapes = (shape,)
            return shape
    return known
