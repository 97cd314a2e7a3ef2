"""The IR's text form: for docstrings, tests and people.

One node a line, in order; `return` names the outputs::

    x = input(float32[?,8,8,3])
    k = const(float32[3,3,3,4])
    c = Conv2D(x, k, strides=[1,1,1,1], padding=SAME)
    m, v = Moments(c)            # several outputs; `c:1` works as well
    return c

`const(float32[3])` holds reproducible arbitrary values (positive where it is a vector or scalar),
`const(int32, [0, 3, 1, 2])` holds these. `^name` among the arguments is a control input.
"""

from __future__ import annotations

import ast
import re
import zlib
from collections.abc import Iterator
from typing import Any, cast

import numpy as np

from tfpare.ir.graph import Graph, Node, Value
from tfpare.ir.ops import OpSpec, Registry
from tfpare.ir.types import UNKNOWN, Array, Attr, DType, Shape, dtype

_STATEMENT = re.compile(r"^(?P<names>[\w/., ]+?)\s*=\s*(?P<op>\w+)\((?P<args>.*)\)$")
_TENSOR = re.compile(r"^(?P<dtype>\w+)(\[(?P<dims>[^\]]*)\])?$")


def parse(text: str, registry: Registry, name: str = "main") -> Graph:
    """Builds a graph from its text form.

    Raises:
        ValueError: a line that is not understood, with the line.
    """
    graph, values = Graph(name, registry), dict[str, Value]()
    for line in _lines(text):
        if line.startswith("return"):
            for item in split_arguments(line.removeprefix("return")):
                graph.outputs[item if ":" in item else f"{item}:0"] = _value(item, values)
            continue
        found = _STATEMENT.match(line)
        if found is None:
            raise ValueError(f"Cannot read the line {line!r}.")
        names = [n.strip() for n in found["names"].split(",")]
        node = _add(graph, names[0], found["op"], split_arguments(found["args"]), values)
        for port, one in enumerate(names):
            values[one] = Value(node, port)
    return graph


def _lines(text: str) -> Iterator[str]:
    for line in text.strip().splitlines():
        line = line.partition("#")[0].strip()
        if line:
            yield line


def split_arguments(text: str) -> list[str]:
    """Splits at commas that are not inside brackets or quotes."""
    parts, depth, current, quote = list[str](), 0, "", ""
    for char in text:
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'":
            quote = char
        depth += (char in "([{") - (char in ")]}") if not quote else 0
        if char == "," and depth == 0 and not quote:
            parts.append(current.strip())
            current = ""
        else:
            current += char
    return [p for p in (*parts, current.strip()) if p]


def _value(ref: str, values: dict[str, Value]) -> Value:
    name, _, port = ref.partition(":")
    if name not in values:
        raise ValueError(f"Nothing is called {name!r}.")
    return Value(values[name].node, int(port)) if port else values[name]


def _add(graph: Graph, name: str, op: str, arguments: list[str], values: dict[str, Value]) -> Node:
    if op == "input":
        type_, shape = parse_tensor(arguments[0])
        attrs: dict[str, Attr] = {"dtype": type_, "shape": shape}
        node = graph.add("Placeholder", (), attrs, name=name, shapes=(shape,))
        graph.fed.add(node.out())
        return node
    if op == "const":
        type_, shape = parse_tensor(arguments[0])
        array = _literal(arguments[1:], type_) if len(arguments) > 1 else arbitrary(name, type_, shape)
        return graph.const(array, name=name, type_=type_).node
    keywords = dict(_keyword(a) for a in arguments if _is_keyword(a))
    plain = [a for a in arguments if not _is_keyword(a)]
    inputs = [_value(a, values) for a in plain if not a.startswith("^")]
    controls = [_value(a[1:], values).node for a in plain if a.startswith("^")]
    spec = graph.registry(op)
    if spec is None:
        raise ValueError(f"Op {op!r} is not registered.")
    attrs = {**spec.type_attrs([v.dtype for v in inputs]), **{k: _attr(spec, k, v) for k, v in keywords.items()}}
    return graph.add(op, inputs, attrs, name=name, controls=controls)


def _is_keyword(argument: str) -> bool:
    return re.match(r"^\w+=", argument) is not None


def _keyword(argument: str) -> tuple[str, str]:
    key, _, value = argument.partition("=")
    return key.strip(), value.strip()


def parse_tensor(text: str) -> tuple[DType, Shape]:
    """`float32[?,8]`, `int32` (scalar), `float32[*]` (unknown rank)."""
    found = _TENSOR.match(text)
    if found is None:
        raise ValueError(f"{text!r} is no dtype[dims].")
    dims = found["dims"]
    if dims == "*":
        return dtype(found["dtype"]), UNKNOWN
    parts = [d.strip() for d in (dims or "").split(",") if d.strip()]
    return dtype(found["dtype"]), Shape(tuple(None if d == "?" else int(d) for d in parts))


def _literal(parts: list[str], type_: DType) -> Array:
    text = re.sub(r"\bnan\b", "float('nan')", ",".join(parts))
    text = text.replace("float('nan')", "None").replace("inf", "1e999")
    value: Any = ast.literal_eval(text)
    if type_.name == "string":
        return np.array(value, object)
    array = np.array(value, np.float64 if type_.is_float else None)
    assert type_.numpy is not None
    return array.astype(type_.numpy)


def arbitrary(name: str, type_: DType, shape: Shape) -> Array:
    """Reproducible values for a constant of the text form: signed for kernels, positive for vectors and scalars."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    dims = [d or 0 for d in shape.dims or ()]
    assert type_.numpy is not None
    if type_.is_float:
        values = rng.uniform(0.5, 1.5, dims) if len(dims) < 2 else rng.normal(0, 0.5, dims)
        return np.asarray(values).astype(type_.numpy)
    return np.asarray(rng.integers(0, 2 if type_.name == "bool" else 8, dims)).astype(type_.numpy)


def _attr(spec: OpSpec, key: str, text: str) -> Attr:
    kind = spec.attr_kinds.get(key, "")
    if kind == "type":
        return dtype(text)
    if kind == "shape":
        return parse_tensor(f"float32{text}")[1]
    if kind == "string":
        return text.strip("\"'")
    if kind == "list(type)":
        return tuple(dtype(t.strip()) for t in text.strip("[]").split(",") if t.strip())
    value: Any = ast.literal_eval({"true": "True", "false": "False"}.get(text, text))
    return tuple(cast("list[Any]", value)) if isinstance(value, list) else float(value) if kind == "float" else value


def to_text(graph: Graph, *, canonical: bool = False) -> str:
    """The text form; canonical numbers the nodes by use, so that graphs of equal structure give equal text."""
    order = _by_use(graph) if canonical else graph.topological()
    names = {n: f"n{k}" if canonical else n.name for k, n in enumerate(order)}
    lines = [f"{names[n]} = {_expression(n, names)}" for n in order]
    outputs = [_ref(v, names) for v in graph.outputs.values()]
    return "\n".join([*lines, f"return {', '.join(outputs)}"])


def _by_use(graph: Graph) -> list[Node]:
    order: dict[Node, None] = {}

    def visit(node: Node, path: frozenset[Node]) -> None:
        if node in order or node in path:
            return
        for source in [*(v.node for v in node.inputs), *node.controls]:
            visit(source, path | {node})
        order[node] = None

    for value in graph.outputs.values():
        visit(value.node, frozenset())
    return list(order)


def _ref(value: Value, names: dict[Node, str]) -> str:
    return f"{names[value.node]}:{value.index}" if value.index else names[value.node]


def _expression(node: Node, names: dict[Node, str]) -> str:
    if node.op in ("Placeholder", "_Arg"):
        return f"input({node.dtypes[0]}{node.shapes[0]})"
    array = node.out().constant if node.op == "Const" else None
    if array is not None:
        return _const_text(node.dtypes[0], array)
    parts = [_ref(v, names) for v in node.inputs] + [f"^{names[c]}" for c in node.controls]
    known = node.spec.type_attrs([v.dtype for v in node.inputs]) if node.spec else {}
    for key in sorted(node.attrs):
        default = node.spec.defaults.get(key) if node.spec else None
        if key not in known and node.attrs[key] != default and not key.startswith("_"):
            parts.append(f"{key}={_attr_text(node.attrs[key])}")
    return f"{node.op}({', '.join(parts)})"


def _const_text(type_: DType, array: Array) -> str:
    if type_.is_integer and array.size <= 16:
        return f"const({type_}, {array.tolist()})"
    return f"const({type_}[{','.join(map(str, array.shape))}])" if array.ndim else f"const({type_})"


def _attr_text(value: Attr) -> str:
    if isinstance(value, tuple):
        return "[" + ",".join(_attr_text(v) for v in value) + "]"
    return str(value)
