"""Random graphs over about fifty ops, with shapes, layouts, shared and fetched nodes.

Values have small magnitudes and every float op is continuous where it is used, so that a difference after rewriting is
a wrong rewrite and not a rounding that was enlarged.
"""

from __future__ import annotations

import numpy as np

from tfpare.io.op_registry import op_spec
from tfpare.ir.graph import Graph, Value
from tfpare.ir.types import Attr, Shape, dtype

FLOAT32, INT32 = dtype("float32"), dtype("int32")
UNARY = ("Relu", "Relu6", "Tanh", "Sigmoid", "Neg", "Abs", "Identity", "StopGradient", "Square", "Elu", "Softplus")
BINARY = ("Add", "AddV2", "Sub", "Mul", "Maximum", "Minimum", "SquaredDifference")
AFFINE = ("Mul", "AddV2", "Add", "Sub", "RealDiv")
BATCH_NORMS = ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
SPECIAL_CONSTANTS = (0.0, 1.0, -1.0, 2.0, 0.5, -0.0)


class Generator:
    """Builds one graph from a seed; `make` returns it."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.graph = Graph("main", op_spec)
        self.values: list[Value] = []
        self.shapes: dict[Value, tuple[int, ...]] = {}

    def make(self, steps: int | None = None) -> Graph:
        """A graph of `steps` random steps (8 to 30 by default) with one to four outputs."""
        for k in range(int(self.rng.integers(1, 3))):
            self._input(f"input_{k}")
        makers = (
            [self._unary] * 4 + [self._binary] * 3 + [self._affine] * 6 + [self._linear] * 5 + [self._batch_norm] * 3
            + [self._movement] * 6 + [self._reduce, self._concat, self._duplicate, self._integer, self._constants]
            + [self._pool, self._pad_conv, self._atrous, self._cast, self._bias] * 2
        )  # fmt: skip
        for _ in range(steps or int(self.rng.integers(8, 30))):
            makers[int(self.rng.integers(len(makers)))]()
        self._outputs()
        return self.graph

    # -- helpers ----------------------------------------------------------------------------------------------------

    def _pick(self, *ranks: int) -> Value | None:
        fits = [v for v in self.values if not ranks or len(self.shapes[v]) in ranks]
        if not fits:
            return None
        weights = np.arange(1, len(fits) + 1, dtype=float)  # prefer recent values, so that chains grow
        return fits[int(self.rng.choice(len(fits), p=weights / weights.sum()))]

    def _add(self, op: str, inputs: list[Value], shape: tuple[int, ...], **attrs: Attr) -> Value:
        spec = op_spec(op)
        assert spec is not None
        types: dict[str, Attr] = {}
        if "T" in spec.attr_kinds and inputs:
            types["T"] = inputs[0].dtype
        value = self.graph.add(op, inputs, {**types, **attrs}, name=f"{op}_{len(self.graph)}").out()
        self.values.append(value)
        self.shapes[value] = shape
        return value

    def _const(self, shape: tuple[int, ...], low: float = -1.0, high: float = 1.0) -> Value:
        if self.rng.random() < 0.15:
            array = np.full(shape, self.rng.choice(SPECIAL_CONSTANTS), np.float32)
            if low > 0:
                array = np.full(shape, self.rng.choice([1.0, 0.5, 2.0]), np.float32)
        else:
            array = self.rng.uniform(low, high, shape).astype(np.float32)
        return self.graph.const(array, name=f"const_{len(self.graph)}")

    def _ints(self, values: object) -> Value:
        return self.graph.const(np.asarray(values, np.int32), name=f"ints_{len(self.graph)}")

    def _kernel(self, *shape: int) -> Value:
        known = [
            v for v in map(Value, self.graph, [0] * len(self.graph)) if v.shape.dims == shape and v.constant is not None
        ]
        if known and self.rng.random() < 0.3:
            return known[int(self.rng.integers(len(known)))]  # shared by two readers
        fan_in = max(int(np.prod(shape[:-1])), 1)
        return self.graph.const(
            (self.rng.normal(0, 1, shape) / np.sqrt(fan_in)).astype(np.float32), name=f"kernel_{len(self.graph)}"
        )

    # -- steps ------------------------------------------------------------------------------------------------------

    def _input(self, name: str) -> None:
        rank = int(self.rng.choice([2, 4, 4, 4]))
        dims = (3, *(int(d) for d in self.rng.integers(3, 8, rank - 1)))
        known: tuple[int | None, ...] = dims if self.rng.random() < 0.3 else (None, *dims[1:])
        shape = Shape(None if self.rng.random() < 0.05 else known)
        node = self.graph.add("Placeholder", (), {"dtype": FLOAT32, "shape": shape}, name=name, shapes=(shape,))
        self.graph.fed.add(node.out())
        self.values.append(node.out())
        self.shapes[node.out()] = dims

    def _unary(self) -> None:
        x = self._pick()
        assert x is not None
        op = str(self.rng.choice(UNARY))
        if op == "Square" and self.rng.random() < 0.7:
            op = "Tanh"
        self._add(op, [x], self.shapes[x])

    def _binary(self) -> None:
        a = self._pick()
        assert a is not None
        same = [v for v in self.values if self.shapes[v] == self.shapes[a]]
        b = same[int(self.rng.integers(len(same)))]
        op = str(self.rng.choice(BINARY))
        result = self._add(op, [a, b], self.shapes[a])
        if op in ("Mul", "SquaredDifference"):
            self._add("Tanh", [result], self.shapes[a])

    def _affine(self) -> None:
        x = self._pick()
        assert x is not None
        shape = self.shapes[x]
        forms = [(), (1,), shape[-1:], (1,) * (len(shape) - 1) + shape[-1:], (1,) * len(shape), shape[1:]]
        if len(shape) == 4:
            forms += [(shape[1], 1, 1), (shape[2], 1)]
        form = forms[int(self.rng.integers(len(forms)))]
        op = str(self.rng.choice(AFFINE))
        c = self._const(form, 0.4, 1.6) if op == "RealDiv" else self._const(form)
        inputs = [x, c] if op == "RealDiv" or self.rng.random() < 0.6 else [c, x]
        self._add(op, inputs, shape)

    def _linear(self) -> None:
        x = self._pick(2, 4)
        if x is None:
            return
        shape = self.shapes[x]
        if len(shape) == 2:
            self._matmul(x, shape)
        elif self.rng.random() < 0.3:
            self._depthwise(x, shape)
        else:
            self._conv(x, shape)

    def _matmul(self, x: Value, shape: tuple[int, ...]) -> None:
        channels = shape[1] if self.rng.random() < 0.5 else int(self.rng.integers(3, 7))
        transposed = bool(self.rng.random() < 0.4)
        kernel = self._kernel(*((channels, shape[1]) if transposed else (shape[1], channels)))
        self._add("MatMul", [x, kernel], (shape[0], channels), transpose_b=transposed)

    def _conv(self, x: Value, shape: tuple[int, ...], padding: str = "") -> Value:
        _, height, width, channels = shape
        taps, stride = int(self.rng.choice([1, 2, 3])), int(self.rng.choice([1, 1, 2]))
        taps = min(taps, height, width)
        padding = padding or str(self.rng.choice(["SAME", "VALID"]))
        grouped = channels % 2 == 0 and self.rng.random() < 0.2
        out = int(self.rng.integers(2, 4)) * 2
        kernel = self._kernel(taps, taps, channels // 2 if grouped else channels, out)
        size = tuple(-(-d // stride) if padding == "SAME" else (d - taps) // stride + 1 for d in (height, width))
        return self._add("Conv2D", [x, kernel], (shape[0], *size, out), strides=(1, stride, stride, 1), padding=padding)

    def _depthwise(self, x: Value, shape: tuple[int, ...]) -> None:
        _, height, width, channels = shape
        taps = min(int(self.rng.choice([1, 2, 3])), height, width)
        padding = str(self.rng.choice(["SAME", "VALID"]))
        multiplier = int(self.rng.choice([1, 2]))
        kernel = self._kernel(taps, taps, channels, multiplier)
        size = (height, width) if padding == "SAME" else (height - taps + 1, width - taps + 1)
        out = (shape[0], *size, channels * multiplier)
        self._add("DepthwiseConv2dNative", [x, kernel], out, strides=(1, 1, 1, 1), padding=padding)

    def _batch_norm(self) -> None:
        x = self._pick(4)
        if x is None:
            return
        channels = self.shapes[x][-1]
        statistics = [self._const((channels,)) for _ in range(3)] + [self._const((channels,), 0.3, 2.0)]
        op = str(self.rng.choice(BATCH_NORMS))
        extra: dict[str, Attr] = {} if op == "FusedBatchNorm" else {"U": FLOAT32}
        self._add(op, [x, *statistics], self.shapes[x], is_training=False, epsilon=0.001, **extra)

    def _bias(self) -> None:
        x = self._pick(2, 4)
        if x is not None:
            self._add("BiasAdd", [x, self._const(self.shapes[x][-1:])], self.shapes[x])

    def _movement(self) -> None:
        x = self._pick()
        assert x is not None
        moves = (self._transpose, self._reshape, self._squeeze, self._slice, self._pad, self._tile)
        moves[int(self.rng.integers(len(moves)))](x, self.shapes[x])

    def _transpose(self, x: Value, shape: tuple[int, ...]) -> None:
        order = list(range(len(shape)))
        if len(shape) > 2 and self.rng.random() < 0.6:
            order = [0, *(int(p) + 1 for p in self.rng.permutation(len(shape) - 1))]
        y = self._add("Transpose", [x, self._ints(order)], tuple(shape[p] for p in order), Tperm=INT32)
        if self.rng.random() < 0.5:
            back = np.argsort(order)
            self._add("Transpose", [y, self._ints(back)], shape, Tperm=INT32)

    def _reshape(self, x: Value, shape: tuple[int, ...]) -> None:
        form = int(self.rng.integers(3))
        if form == 0:
            self._add("Reshape", [x, self._ints([-1, *shape[1:]])], shape, Tshape=INT32)
            return
        flat = (shape[0], int(np.prod(shape[1:])))
        if form == 1:
            y = self._add("Reshape", [x, self._ints([-1, flat[1]])], flat, Tshape=INT32)
            self._add("Reshape", [y, self._ints([-1, *shape[1:]])], shape, Tshape=INT32)
            return
        sizes = self.graph.add("Shape", [x], {"T": FLOAT32, "out_type": INT32}).out()
        ends = [self._ints([0]), self._ints([1]), self._ints([1])]
        attrs: dict[str, Attr] = {"T": INT32, "Index": INT32, "shrink_axis_mask": 1}
        batch = self.graph.add("StridedSlice", [sizes, *ends], attrs).out()
        parts = [batch, *(self._ints(d) for d in shape[1:])]
        target = self.graph.add("Pack", parts, {"T": INT32, "N": len(parts), "axis": 0}).out()
        self._add("Reshape", [x, target], shape, Tshape=INT32)

    def _squeeze(self, x: Value, shape: tuple[int, ...]) -> None:
        axis = int(self.rng.integers(1, len(shape) + 1))
        wide = (*shape[:axis], 1, *shape[axis:])
        y = self._add("ExpandDims", [x, self._ints(axis)], wide, Tdim=INT32)
        self._add("Squeeze", [y], shape, squeeze_dims=(axis,))

    def _slice(self, x: Value, shape: tuple[int, ...]) -> None:
        if self.rng.random() < 0.5:
            self._add("Slice", [x, self._ints([0] * len(shape)), self._ints([-1] * len(shape))], shape, Index=INT32)
            return
        size = [-1, *(int(self.rng.integers(max(d - 1, 1), d + 1)) for d in shape[1:])]
        out = (shape[0], *size[1:])
        self._add("Slice", [x, self._ints([0] * len(shape)), self._ints(size)], out, Index=INT32)

    def _pad(self, x: Value, shape: tuple[int, ...]) -> None:
        pads = [[0, 0], *([int(v) for v in self.rng.integers(0, 2, 2)] for _ in shape[1:])]
        if len(shape) == 4:
            pads[3] = [0, 0]  # TensorFlow's oneDNN build itself fails where channels are padded before a convolution
        if self.rng.random() < 0.4:
            pads = [[0, 0]] * len(shape)
        out = tuple(d + sum(p) for d, p in zip(shape, pads, strict=True))
        self._add("Pad", [x, self._ints(pads)], out, Tpaddings=INT32)

    def _tile(self, x: Value, shape: tuple[int, ...]) -> None:
        self._add("Tile", [x, self._ints([1] * len(shape))], shape, Tmultiples=INT32)

    def _pad_conv(self) -> None:
        x = self._pick(4)
        if x is None:
            return
        shape = self.shapes[x]
        pads = [[0, 0], *([int(v) for v in self.rng.integers(0, 3, 2)] for _ in range(2)), [0, 0]]
        out = tuple(d + sum(p) for d, p in zip(shape, pads, strict=True))
        padded = self._add("Pad", [x, self._ints(pads)], out, Tpaddings=INT32)
        self._conv(padded, out, "VALID")

    def _atrous(self) -> None:
        x = self._pick(4)
        if x is None or self.shapes[x][1] % 2 or self.shapes[x][2] % 2:
            return
        shape = self.shapes[x]
        pads = [[2, 2], [2, 2]] if self.rng.random() < 0.7 else [[2, 0], [0, 2]]
        inner = tuple((d + sum(p)) // 2 for d, p in zip(shape[1:3], pads, strict=True))
        types: dict[str, Attr] = {"Tblock_shape": INT32}
        block = self._ints([2, 2])
        split = self._add(
            "SpaceToBatchND", [x, block, self._ints(pads)], (4 * shape[0], *inner, shape[3]), Tpaddings=INT32, **types
        )
        kernel = self._kernel(2, 2, shape[3], 4)
        size = tuple(d - 1 for d in inner)
        conv = self._add("Conv2D", [split, kernel], (4 * shape[0], *size, 4), strides=(1, 1, 1, 1), padding="VALID")
        out = (shape[0], *(2 * d for d in size), 4)
        self._add("BatchToSpaceND", [conv, block, self._ints([[0, 0], [0, 0]])], out, Tcrops=INT32, **types)

    def _pool(self) -> None:
        x = self._pick(4)
        if x is None or min(self.shapes[x][1:3]) < 2:
            return
        batch, height, width, channels = self.shapes[x]
        out = (batch, height - 1, width - 1, channels)
        op = str(self.rng.choice(["MaxPool", "AvgPool"]))
        self._add(op, [x], out, ksize=(1, 2, 2, 1), strides=(1, 1, 1, 1), padding="VALID")

    def _reduce(self) -> None:
        x = self._pick(4)
        if x is not None:
            shape = self.shapes[x]
            keep = bool(self.rng.random() < 0.5)
            out = (shape[0], 1, 1, shape[3]) if keep else (shape[0], shape[3])
            op = str(self.rng.choice(["Mean", "Max"]))
            self._add(op, [x, self._ints([1, 2])], out, Tidx=INT32, keep_dims=keep)

    def _concat(self) -> None:
        x = self._pick()
        assert x is not None
        shape = self.shapes[x]
        parts = [x, *[v for v in self.values if self.shapes[v] == shape and v != x][:1]]
        parts += [self._const(shape) for _ in range(int(self.rng.integers(2 - len(parts), 3)))]
        out = (*shape[:-1], shape[-1] * len(parts))
        self._add("ConcatV2", [*parts, self._ints(-1)], out, N=len(parts), Tidx=INT32)

    def _duplicate(self) -> None:
        x = self._pick()
        assert x is not None
        first = self._add("Tanh", [x], self.shapes[x])
        second = self._add("Tanh", [x], self.shapes[x])
        self._add("AddV2", [first, second], self.shapes[x])

    def _integer(self) -> None:
        x = self._pick()
        assert x is not None
        shape = self.shapes[x]
        whole = self.graph.add("Cast", [x], {"SrcT": FLOAT32, "DstT": INT32}).out()
        zero, one = self._ints(0), self._ints(1)
        types: dict[str, Attr] = {"T": INT32}
        product = self.graph.add("Mul", [whole, one if self.rng.random() < 0.5 else zero], types).out()
        total = self.graph.add("AddV2", [product, zero], types).out()
        self._add("Cast", [total], shape, SrcT=INT32, DstT=FLOAT32)

    def _constants(self) -> None:
        x = self._pick()
        assert x is not None
        shape = self.shapes[x]
        types: dict[str, Attr] = {"T": FLOAT32}
        a, b = self._const(shape[-1:], 0.5, 1.5), self._const(shape[-1:], 0.5, 1.5)
        root = self.graph.add("Rsqrt", [self.graph.add("AddV2", [a, b], types).out()], types).out()
        self._add("Mul", [x, root], shape)

    def _cast(self) -> None:
        x = self._pick()
        assert x is not None
        shape, wide = self.shapes[x], dtype("float64")
        if self.rng.random() < 0.5:
            self._add("Cast", [x], shape, SrcT=FLOAT32, DstT=FLOAT32)
        else:
            up = self.graph.add("Cast", [x], {"SrcT": FLOAT32, "DstT": wide}).out()
            self._add("Cast", [up], shape, SrcT=wide, DstT=FLOAT32)

    def _outputs(self) -> None:
        inner = [v for v in self.values if not v.node.op.startswith("Placeholder")] or self.values
        wanted = {inner[-1]} | {inner[int(k)] for k in self.rng.integers(0, len(inner), int(self.rng.integers(1, 4)))}
        for value in sorted(wanted, key=str):
            self.graph.outputs[f"{value.node.name}:{value.index}"] = value
        self.graph.sweep()
