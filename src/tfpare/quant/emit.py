"""The 8-bit ops of stock TensorFlow (oneDNN) in the place of a plan's units.

Every activation is unsigned. A signed one is shifted by a whole zero point z, which the kernels do not know: it moves
into the biases. With x = (p − zx)·sx, w = k·sw, a summand (r − zr)·sr and the result (q − zq)·sq,

    q = round((Σ p·k · sx·sw + b + r·sr) / sq),   b = bias − zx·sx·sw·Σk − zr·sr + zq·sq.

Cutting q at 0 and 255 is Relu where zq = 0, and Relu6 where the grid ends at 6; it costs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tfpare.ir.graph import Graph, Node, Value
from tfpare.ir.types import Array, Attr, DType, Shape, dtype
from tfpare.quant.moves import POOLS, moved_inputs
from tfpare.quant.numerics import Grid
from tfpare.quant.padding import Pads, needs_padding, paddings_of
from tfpare.quant.planner import Scheme
from tfpare.quant.units import Unit

MADE_BY = "quantize"
_QUINT8, _QINT8, _FLOAT, _INT32 = dtype("quint8"), dtype("qint8"), dtype("float32"), dtype("int32")
_CONVOLUTIONS = {"Conv2D": "_FusedQuantizedConv2D", "DepthwiseConv2dNative": "_FusedQuantizedDepthwiseConv2D"}
_ASK_SHAPE = frozenset({"Shape", "Rank", "Size"})


def emit(graph: Graph, scheme: Scheme) -> int:
    """Rewrites the graph; returns the number of units that now compute in 8 bits."""
    _Emitter(graph, scheme).run()
    graph.sweep()
    return len(scheme.units)


class _Emitter:
    def __init__(self, graph: Graph, scheme: Scheme) -> None:
        self._graph, self._scheme = graph, scheme
        self._eight: dict[Value, Value] = {}
        self._replaced = {n for u in scheme.units for n in u.nodes} | set(scheme.moves)

    def run(self) -> None:
        by_last: dict[Node, Unit] = {u.nodes[-1]: u for u in self._scheme.units}
        moves = set(self._scheme.moves)
        for node in self._graph.topological():
            unit = by_last.get(node)
            if unit is not None:
                self._unit(unit)
            elif node in moves:
                self._eight[node.out()] = self._move(node)
        for old in [v for v in self._eight if v.node in self._replaced]:
            self._give_floats(old)

    # -- tensors -----------------------------------------------------------------------------------------------------

    def _quantized(self, value: Value) -> Value:
        """The tensor in 8 bits; made here where a float op gives it."""
        if value not in self._eight:
            grid = self._scheme.grids[value]
            attrs: dict[str, Attr] = {"T": _QUINT8, "ensure_minimum_range": 0.0, **_mode(grid)}
            if not grid.zero_point:
                attrs["round_mode"] = "HALF_TO_EVEN"
            name = f"{value.node.name}/int8" if not value.index else f"{value.node.name}_{value.index}/int8"
            made = self._add("QuantizeV2", [value, *self._limits(grid, name)], name, value.node, value.shape, **attrs)
            self._eight[value] = made
        return self._eight[value]

    def _limits(self, grid: Grid, name: str) -> list[Value]:
        """The range that Quantize, Dequantize and the pools take."""
        low, high = (grid.low, grid.high) if grid.zero_point else (0.0, grid.width)
        return [self._number(low, f"{name}/low"), self._number(high, f"{name}/high")]

    def _give_floats(self, old: Value) -> None:
        """Readers that compute in float get floats; those that ask for a shape alone do not need them."""
        readers = [r for r in old.node.readers if old in r.inputs and r not in self._replaced]
        for reader in [r for r in readers if r.op in _ASK_SHAPE]:
            reader.attrs = {**reader.attrs, "T": _QUINT8}
            self._graph.set_inputs(reader, [self._eight[old]])
            readers.remove(reader)
        if readers or old in self._graph.outputs.values():
            grid, name = self._scheme.grids[old], f"{old.node.name}/float"
            inputs = [self._eight[old], *self._limits(grid, name)]
            value = self._add("Dequantize", inputs, name, old.node, old.shape, T=_QUINT8, **_mode(grid))
            self._graph.replace_value(old, value)
            self._graph.replace_control(old.node, [value.node])
        else:
            self._graph.replace_control(old.node, [self._eight[old].node])

    # -- ops ---------------------------------------------------------------------------------------------------------

    def _unit(self, unit: Unit) -> None:
        if unit.linear.op != "MatMul":
            self._eight[unit.out] = self._convolution(unit)
        elif self._is_read_in_8_bits(unit.out):
            self._eight[unit.out] = self._matmul(unit, self._scheme.grids[unit.out])
        else:
            value = self._matmul(unit, None)
            if unit.activation:
                value = self._add(unit.activation, [value], unit.out.node.name, unit.linear, unit.out.shape, T=_FLOAT)
            self._graph.replace_value(unit.out, value)
            self._graph.replace_control(unit.out.node, [value.node])

    def _is_read_in_8_bits(self, value: Value) -> bool:
        units = any(value in (u.x, u.summand) for u in self._scheme.units)
        return units or any(value in moved_inputs(n) for n in self._scheme.moves)

    def _convolution(self, unit: Unit) -> Value:
        node, grid = unit.linear, self._scheme.grids[unit.out]
        x, padding = self._padded(unit)
        name = f"{unit.name}/int8"
        inputs = [x, *self._weights(unit, self._bias(unit, grid), name)]
        host = self._host(unit, name)
        steps = ["BiasAdd", "Requantize"]
        if unit.summand is not None:
            inputs.append(self._quantized(unit.summand))
            summand = self._scheme.grids[unit.summand]
            host += [self._number(0.0, f"{name}/summand_min"), self._number(summand.width, f"{name}/summand_max")]
            steps = ["BiasAdd", "Sum", "Relu", "Requantize"]
        host += [self._number(0.0, f"{name}/output_min"), self._number(grid.width, f"{name}/output_max")]
        attrs: dict[str, Attr] = {
            **_io_attrs(inputs, host, _QUINT8),
            "Tinput": _QUINT8, "Tfilter": _QINT8, "Tbias": _FLOAT, "Tsummand": _QUINT8, "out_type": _QUINT8,
            "strides": node["strides"], "dilations": node.get("dilations", (1, 1, 1, 1)),
            "fused_ops": tuple(steps), **padding,
        }  # fmt: skip
        return self._add(_CONVOLUTIONS[node.op], [*inputs, *host], name, node, unit.out.shape, **attrs)

    def _matmul(self, unit: Unit, grid: Grid | None) -> Value:
        """In 8 bits on a grid, else in floats without the activation."""
        name = f"{unit.name}/int8"
        inputs = [self._quantized(unit.x), *self._weights(unit, self._bias(unit, grid), name)]
        host, out = self._host(unit, name), _FLOAT
        if grid is not None:
            host += [self._number(0.0, f"{name}/output_min"), self._number(grid.width, f"{name}/output_max")]
            out = _QUINT8
        attrs = _io_attrs(inputs, host, out)
        if grid is None:
            attrs["Thost_outputs"] = ()
        attrs |= {"T1": _QUINT8, "T2": _QINT8, "Tbias": _FLOAT, "U": _FLOAT, "Tout": out}
        attrs["fused_ops"] = ("BiasAdd", "Dequantize" if grid is None else "Requantize")
        return self._add("_QuantizedMatMul", [*inputs, *host], name, unit.linear, unit.out.shape, **attrs)

    def _bias(self, unit: Unit, grid: Grid | None) -> Array:
        """What the kernels add: the bias and the zero points of input, summand and result."""
        x, kernel = self._scheme.grids[unit.x], unit.kernel
        bias = unit.bias if unit.correction is None else unit.bias + unit.correction
        bias = bias + x.low * kernel.scales.astype(np.float64) * kernel.sums
        if unit.summand is not None:
            bias = bias + self._scheme.grids[unit.summand].low
        return (bias if grid is None else bias - grid.low).astype(np.float32)

    def _weights(self, unit: Unit, bias: Array, name: str) -> list[Value]:
        kernel = self._graph.const(unit.kernel.values, name=f"{name}/kernel", type_=_QINT8, made_by=MADE_BY)
        return [kernel, self._graph.const(bias, name=f"{name}/bias", made_by=MADE_BY)]

    def _host(self, unit: Unit, name: str) -> list[Value]:
        """Ranges of the input and of the kernel's channels."""
        ranges = unit.kernel.ranges
        return [
            self._number(0.0, f"{name}/input_min"),
            self._number(self._scheme.grids[unit.x].width, f"{name}/input_max"),
            self._graph.const(-ranges, name=f"{name}/kernel_min", made_by=MADE_BY),
            self._graph.const(ranges, name=f"{name}/kernel_max", made_by=MADE_BY),
        ]

    def _padded(self, unit: Unit) -> tuple[Value, dict[str, Attr]]:
        """The input, and the attributes that say what the kernel pads; on a shifted grid 0 is another number."""
        node, x = unit.linear, self._quantized(unit.x)
        grid = self._scheme.grids[unit.x]
        pads = paddings_of(node)
        if not grid.zero_point or not needs_padding(node) or pads is None:
            same: dict[str, Attr] = {"padding": node["padding"]}
            return x, {**same, "explicit_paddings": node.get("explicit_paddings", ())}
        return self._pad(x, pads, grid, f"{unit.name}/int8/pad", node), {"padding": "VALID"}

    def _pad(self, x: Value, pads: Pads, grid: Grid, name: str, like: Node) -> Value:
        sides = self._graph.const(np.array(((0, 0), *pads, (0, 0)), np.int32), name=f"{name}/sides", made_by=MADE_BY)
        dims = x.shape.dims or ()
        grown = [None if n is None else n + sum(p) for n, p in zip(dims, ((0, 0), *pads, (0, 0)), strict=False)]
        return self._filled(x, sides, grid, name, like, Shape(tuple(grown)))

    def _filled(self, x: Value, sides: Value, grid: Grid, name: str, like: Node, shape: Shape) -> Value:
        """x with the number of 0 around it.

        TensorFlow's PadV2 copies bytes one by one: four channels go as one int32 where it is known how many there are.
        """
        before, after, array = x.shape.dims or (None,) * 4, shape.dims or (None,) * 4, sides.constant
        attrs: dict[str, Attr] = {"Tpaddings": sides.dtype}
        channels = before[-1]
        plain = array is not None and array.shape == (4, 2) and not array[[0, 3]].any()
        if not plain or channels is None or channels % 4 or None in (*before[1:], *after[1:]):
            return self._add("PadV2", [x, sides, self._zero(grid, name)], name, like, shape, T=_QUINT8, **attrs)
        words = self._reshaped(x, (*before[:3], channels // 4, 4), f"{name}/fours")
        words = self._bits(words, _INT32, f"{name}/words", words.shape.dims or ())
        number = np.full(4, grid.zero_point, np.uint8).view(np.int32)[0]
        zero = self._graph.const(number, name=f"{name}/zero", made_by=MADE_BY)
        grown = Shape((*after[:3], channels // 4))
        padded = self._add("PadV2", [words, sides, zero], f"{name}/padded", like, grown, T=_INT32, **attrs)
        fours = self._bits(padded, _QUINT8, f"{name}/bytes", (*(grown.dims or ()), 4, 4))
        return self._reshaped(fours, after, name)

    def _bits(self, value: Value, type_: DType, name: str, dims: tuple[int | None, ...]) -> Value:
        """Its bits as another type, whose last dimension comes or goes."""
        attrs: dict[str, Attr] = {"T": value.dtype, "type": type_}
        return self._add("Bitcast", [value], name, value.node, Shape(dims[:-1]), **attrs)

    def _reshaped(self, value: Value, dims: tuple[int | None, ...], name: str) -> Value:
        """With other dimensions, of which the first alone may not be known."""
        target = np.array([-1 if n is None else n for n in dims], np.int32)
        shape = self._graph.const(target, name=f"{name}/shape", made_by=MADE_BY)
        attrs: dict[str, Attr] = {"T": value.dtype, "Tshape": _INT32}
        return self._add("Reshape", [value, shape], name, value.node, Shape(dims), **attrs)

    def _zero(self, grid: Grid, name: str) -> Value:
        number = np.array(grid.zero_point, np.uint8)
        return self._graph.const(number, name=f"{name}/zero", type_=_QUINT8, made_by=MADE_BY)

    def _move(self, node: Node) -> Value:
        grid, name = self._scheme.grids[node.out()], f"{node.name}/int8"
        values = [self._quantized(v) for v in moved_inputs(node)]
        shape = node.out().shape
        if node.op in POOLS:
            attrs: dict[str, Attr] = {k: node[k] for k in ("ksize", "strides", "padding")}
            inputs = [*values, *self._limits(grid, name)]
            return self._add(POOLS[node.op], inputs, name, node, shape, T=_QUINT8, **attrs)
        rest = list(node.inputs[len(values) :])
        if node.op in ("Pad", "PadV2"):
            return self._filled(values[0], rest[0], grid, name, node, shape)
        kept = {k: v for k, v in node.attrs.items() if not k.startswith("_")}
        return self._add(node.op, [*values, *rest], name, node, shape, **{**kept, "T": _QUINT8})

    # -- nodes -------------------------------------------------------------------------------------------------------

    def _number(self, number: float, name: str) -> Value:
        return self._graph.const(np.array(number, np.float32), name=name, made_by=MADE_BY)

    def _add(self, op: str, inputs: Sequence[Value], name: str, like: Node, shape: Shape, **attrs: Attr) -> Value:
        node = self._graph.add(op, inputs, attrs, name=name, device=like.device, made_by=MADE_BY)
        node.shapes = (shape, *(Shape(()) for _ in node.dtypes[1:]))
        return node.out()


def _mode(grid: Grid) -> dict[str, Attr]:
    """SCALED: x = q · max / 255. MIN_FIRST: x = min + q · (max − min) / 255."""
    return {"mode": "MIN_FIRST" if grid.zero_point else "SCALED"}


def _io_attrs(inputs: Sequence[Value], host: Sequence[Value], out: DType) -> dict[str, Attr]:
    return {
        "Tdevice_inputs": tuple(v.dtype for v in inputs),
        "Thost_inputs": tuple(v.dtype for v in host),
        "Tdevice_outputs": (out,),
        "Thost_outputs": (_FLOAT, _FLOAT),
    }
