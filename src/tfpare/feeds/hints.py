"""What the graphs tell about an input: how large ids may be, what strings mean, how many channels a picture has."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from tfpare.feeds.spec import Dims, Feature, InputSpec, SignatureSpec, join_sparse
from tfpare.feeds.walk import Passes, Use, shape_of, source, uses
from tfpare.framing import part_keys
from tfpare.io import entries
from tfpare.ir.graph import Node, Value
from tfpare.ir.model import Model, Signature, TensorInfo
from tfpare.ir.types import Array, DType, Shape

_MOST_WORDS = 400
_ASSET_BYTES = 1 << 16
_STORED = frozenset({"Const", "VarHandleOp", "VariableV2", "Variable", "_Arg"})


def _ops(names: str) -> list[str]:
    return names.split()


def _first(node: Node, position: int) -> list[int]:
    del node
    return [0] if position == 0 else []


def _any(node: Node, position: int) -> list[int]:
    del node, position
    return [0]


def _beside_constants(node: Node, position: int) -> list[int]:
    """Elementwise ops keep the shape of an operand only where the others are constants or variables."""
    others = [v for k, v in enumerate(node.inputs) if k != position]
    return [0] if all(source(v, ()).node.op in _STORED for v in others) else []


_SAME_VALUES: Passes = {
    **dict.fromkeys(
        _ops(
            "Identity Cast Reshape ExpandDims Squeeze StopGradient EnsureShape Transpose Tile StridedSlice Slice "
            "Unique UniqueV2 PlaceholderWithDefault Snapshot PreventGradient Enter Exit NextIteration BroadcastTo "
            "StringStrip StringLower DecodeBase64 TensorArrayScatterV3 TensorListFromTensor"
        ),
        _first,
    ),
    **dict.fromkeys(_ops("Pack ConcatV2 Merge"), _any),
    **dict.fromkeys(_ops("Select SelectV2"), lambda _, k: [0] if k in (1, 2) else []),
    "Switch": lambda _, k: [0, 1] if k == 0 else [],
    "IdentityN": lambda _, k: [k],
    "SparseFillEmptyRows": lambda _, k: [1] if k == 1 else [],
    "TensorArrayReadV3": lambda _, k: [0] if k in (0, 2) else [],
    "TensorListGetItem": _first,
}
_ELEMENTWISE: Passes = dict.fromkeys(
    _ops(
        "Identity Cast Sub Add AddV2 Mul RealDiv Div StopGradient Snapshot EnsureShape Enter PlaceholderWithDefault "
        "Maximum Minimum CheckNumerics Pad"
    ),
    _beside_constants,
)
_PARTITIONING: Passes = dict.fromkeys(_ops("FloorDiv FloorMod Sub"), _first)
_MEANINGS = {
    "DecodeImage": "image",
    "DecodeJpeg": "image",
    "DecodePng": "image",
    "DecodeBmp": "image",
    "DecodeAndCropJpeg": "image",
    "StringToNumber": "number",
    "DecodeBase64": "base64",
}
_CONVOLUTIONS = frozenset({"Conv2D", "DepthwiseConv2dNative"})


def describe(model: Model, signature: Signature) -> SignatureSpec:
    """All that is known about a signature's inputs; needs the model as it was read."""
    values = entries.input_values(model, signature)
    specs = [_describe(model, key, info, values.get(key, [])) for key, info in signature.inputs.items()]
    has_text = any(s.dtype.name == "string" or s.features for s in specs)
    return SignatureSpec(signature.name, tuple(join_sparse(specs)), _words(model) if has_text else ())


def _describe(model: Model, key: str, info: TensorInfo, values: list[Value]) -> InputSpec:
    parts = tuple(part_keys(key, len(info.tensors)))
    dims = info.shape.dims
    if not values:
        return InputSpec(key, info.dtype, dims, parts)
    value = values[1] if len(values) == 3 else values[0]
    found = list(uses(model, value, _SAME_VALUES))
    if info.dtype.name == "string":
        kind, features = _meaning(model, found)
        return InputSpec(key, info.dtype, dims, parts, None, kind, features)
    if not info.is_composite and (dims is None or (len(dims) == 4 and None in dims)):
        dims = _consumer_dims(model, value, dims)
    below = (_limit(found) or _partitioned_limit(model, value)) if info.dtype.is_integer else None
    return InputSpec(key, info.dtype, dims, parts, below, likely_scalar=dims is None and _is_noted_scalar(value))


def _is_noted_scalar(value: Value) -> bool:
    shape = value.node.get("shape") if value.node.op == "Placeholder" else None
    return isinstance(shape, Shape) and shape.dims == ()


def _limit(found: Iterable[Use]) -> int | None:
    """The smallest table that is looked up with the value."""
    sizes: list[int] = []
    for use in found:
        if use.position != 1 or use.node.op not in ("Gather", "GatherV2", "ResourceGather"):
            continue
        dims, axis = shape_of(use.node.inputs[0], use.path).dims, _axis(use)
        size = dims[axis] if dims is not None and -len(dims) <= axis < len(dims) else None
        if size:
            sizes.append(size)
    return min(sizes, default=None)


def _partitioned_limit(model: Model, value: Value) -> int | None:
    """The rows of all parts together, where ids are spread over a partitioned table."""
    for use in uses(model, value, {**_SAME_VALUES, **_PARTITIONING}):
        if use.node.op == "DynamicPartition" and use.position == 0:
            parts = [_limit(uses(model, use.node.out(k), _SAME_VALUES)) for k in range(len(use.node.dtypes))]
            if None not in parts:
                return sum(p for p in parts if p)
    return None


def _axis(use: Use) -> int:
    if use.node.op != "GatherV2":
        return 0
    axis = source(use.node.inputs[2], use.path).constant
    return int(axis) if axis is not None and axis.size == 1 else 0


def _meaning(model: Model, found: Iterable[Use]) -> tuple[str, tuple[Feature, ...]]:
    kinds: set[str] = set()
    for use in found:
        if use.node.op in ("ParseExample", "ParseExampleV2", "ParseSingleExample") and use.position == 0:
            return "example", tuple(_features(model, use))
        if use.node.op in _MEANINGS:
            kinds.add(_MEANINGS[use.node.op])
    return next((k for k in ("base64", "image", "number") if k in kinds), ""), ()


def _features(model: Model, use: Use) -> Iterable[Feature]:
    node = use.node
    sparse, dense, ragged = _feature_keys(use)
    sparse_types, dense_types, ragged_types, shapes = (
        _tuple(node, name) for name in ("sparse_types", "Tdense", "ragged_value_types", "dense_shapes")
    )
    values_from = len(sparse)  # outputs: sparse indices, sparse values, sparse shapes, dense values, ragged …
    for k, (key, type_) in enumerate(zip(sparse, sparse_types, strict=False)):
        yield Feature(key, str(type_), None, _follow(model, node.out(values_from + k), type_))
    for k, (key, type_) in enumerate(zip(dense, dense_types, strict=False)):
        shape = shapes[k] if k < len(shapes) else None
        dims = shape.dims if isinstance(shape, Shape) else ()
        yield Feature(key, str(type_), dims or (), _follow(model, node.out(3 * len(sparse) + k), type_))
    for key, type_ in zip(ragged, ragged_types, strict=False):
        yield Feature(key, str(type_))


def _follow(model: Model, value: Value, type_: object) -> int | None:
    is_id = isinstance(type_, DType) and type_.is_integer and value.index < len(value.node.dtypes)
    return _limit(uses(model, value, _SAME_VALUES)) if is_id else None


def _feature_keys(use: Use) -> tuple[list[str], list[str], list[str]]:
    node = use.node
    if node.op == "ParseSingleExample":
        return [str(k) for k in _tuple(node, "sparse_keys")], [str(k) for k in _tuple(node, "dense_keys")], []
    if node.op == "ParseExampleV2":
        keys = [_strings(node.inputs[k], use) for k in (2, 3, 4)]
        return keys[0], keys[1], keys[2]
    n_sparse, n_dense = len(_tuple(node, "sparse_types")), len(_tuple(node, "Tdense"))
    names = [next(iter(_strings(v, use)), "") for v in node.inputs[2 : 2 + n_sparse + n_dense]]
    return names[:n_sparse], names[n_sparse:], []


def _strings(value: Value, use: Use) -> list[str]:
    array = source(value, use.path).constant
    return [] if array is None else [_text(s) for s in array.ravel().tolist()]


def _text(item: bytes | str) -> str:
    return item if isinstance(item, str) else item.decode("utf-8", "surrogateescape")


def _tuple(node: Node, name: str) -> tuple[object, ...]:
    value = node.get(name, ())
    return value if isinstance(value, tuple) else ()


def _consumer_dims(model: Model, value: Value, dims: Dims) -> Dims:
    """The shape that a convolution or MatMul needs, merged with what is known."""
    for use in uses(model, value, _ELEMENTWISE):
        wanted = _wanted_dims(use)
        if wanted is not None and Shape(wanted).is_compatible(Shape(dims)):
            return Shape(dims).merge(Shape(wanted)).dims
    return dims


def _wanted_dims(use: Use) -> Dims:
    if use.position != 0 or len(use.node.inputs) < 2:
        return None
    weights = shape_of(use.node.inputs[1], use.path).dims
    if use.node.op in _CONVOLUTIONS and weights is not None and len(weights) == 4:
        first = use.node.get("data_format") == "NCHW"
        return (None, weights[2], None, None) if first else (None, None, None, weights[2])
    if use.node.op == "MatMul" and weights is not None and len(weights) == 2:
        return (None, weights[1 if use.node.get("transpose_b") else 0])
    return None


def _words(model: Model) -> tuple[bytes, ...]:
    """Strings that the model's tables know: from its constants and its vocabulary files."""
    words: dict[bytes, None] = {}
    for graph in model.all_graphs():
        for node in graph:
            value = node.out().constant if node.op == "Const" else None
            if value is not None and value.dtype.kind == "O" and value.size >= 3:
                _collect(words, _spread(value))
    folder = model.path / "assets"
    for file in sorted(folder.rglob("*")) if folder.is_dir() else ():
        if file.is_file():
            with file.open("rb") as stream:
                lines = stream.read(_ASSET_BYTES).splitlines()[:-1]
            _collect(words, [line.partition(b"\t")[0] for line in lines])
    return tuple(words)


def _spread(value: Array) -> list[bytes]:
    flat = value.ravel()
    picked = flat[np.unique(np.linspace(0, flat.size - 1, min(flat.size, _MOST_WORDS)).astype(int))]
    return [s if isinstance(s, bytes) else str(s).encode() for s in picked.tolist()]


def _collect(words: dict[bytes, None], items: list[bytes]) -> None:
    step = max(1, len(items) // _MOST_WORDS)
    words.update(dict.fromkeys(w for w in items[::step] if 0 < len(w) <= 40))
