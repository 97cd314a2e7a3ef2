"""Attribute values: between `AttrValue` protos and the IR's plain Python values."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from tfpare.errors import UnsupportedModel
from tfpare.ir.types import Array, Attr, DType, Func, Raw, Shape, dtype, dtype_of

_MAX_BYTES = 1 << 31  # of one constant, as TensorFlow's own limit for a proto; a repeated value could claim any size
_LAZY_FROM_BYTES = 1 << 20  # a repeated value of this size is a view of one element
_COMPRESS_FROM = 32  # elements: below this a repeated value saves nothing worth the loss of plainness


@cache
def dtype_from_enum(number: int) -> DType:
    """The DType of a `DataType` enum value.

    Raises:
        UnsupportedModel: no such type.
    """
    from tensorflow.python.framework import dtypes

    try:
        return dtype(dtypes.as_dtype(number).name)
    except TypeError as error:
        raise UnsupportedModel(f"The graph uses the unknown tensor type number {number}.") from error


@cache
def dtype_to_enum(type_: DType) -> int:
    """The `DataType` enum value of a DType."""
    from tensorflow.python.framework import dtypes

    return dtypes.as_dtype(type_.name).as_datatype_enum


def dtype_named(name: str) -> DType | None:
    """The DType of a name as TensorFlow or NumPy spell it (`float`, `half`, `float32`, `quint8`); None for no type."""
    from tensorflow.python.framework import dtypes

    try:
        return dtype(dtypes.as_dtype(name).base_dtype.name)
    except TypeError:
        return None


def shape_from_proto(proto: Any) -> Shape:
    """A `TensorShapeProto` as Shape."""
    if proto.unknown_rank:
        return Shape(None)
    return Shape(tuple(None if d.size < 0 else int(d.size) for d in proto.dim))


def shape_to_proto(shape: Shape) -> Any:
    """A Shape as `TensorShapeProto`."""
    from tensorflow.core.framework import tensor_shape_pb2

    proto = tensor_shape_pb2.TensorShapeProto()
    if shape.dims is None:
        proto.unknown_rank = True
        return proto
    for d in shape.dims:
        proto.dim.add().size = -1 if d is None else d
    return proto


def decode(value: Any) -> Attr:
    """An `AttrValue` as a plain value; kinds that the IR does not interpret become Raw."""
    kind = value.WhichOneof("value")
    if kind in ("i", "f", "b"):
        return getattr(value, kind)
    if kind == "s":
        return _text(value.s)
    if kind == "type":
        return dtype_from_enum(value.type)
    if kind == "shape":
        return shape_from_proto(value.shape)
    if kind == "tensor":
        return tensor_to_array(value.tensor)
    if kind == "func":
        return _func(value.func)
    if kind == "list":
        return _list(value.list)
    return Raw(value.SerializeToString())


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _func(proto: Any) -> Func:
    return Func(proto.name, tuple((k, decode(v)) for k, v in sorted(proto.attr.items())))


def _list(value: Any) -> tuple[Attr, ...]:
    if value.s:
        return tuple(_text(s) for s in value.s)
    if value.type:
        return tuple(dtype_from_enum(t) for t in value.type)
    if value.shape:
        return tuple(shape_from_proto(s) for s in value.shape)
    if value.tensor:
        return tuple(tensor_to_array(t) for t in value.tensor)
    if value.func:
        return tuple(_func(f) for f in value.func)
    return tuple(value.i) or tuple(value.f) or tuple(value.b)


def encode(value: Attr, into: Any) -> None:
    """Writes a plain value into an `AttrValue`."""
    if isinstance(value, tuple):
        into.list.SetInParent()
        for item in value:
            _encode_item(item, into.list)
    elif isinstance(value, bool):
        into.b = value
    elif isinstance(value, int):
        into.i = value
    elif isinstance(value, float):
        into.f = value
    elif isinstance(value, str):
        into.s = value.encode("utf-8", "surrogateescape")
    else:
        _encode_message(value, into)


def _encode_message(value: Attr, into: Any) -> None:
    if isinstance(value, DType):
        into.type = dtype_to_enum(value)
    elif isinstance(value, Shape):
        into.shape.CopyFrom(shape_to_proto(value))
    elif isinstance(value, Func):
        _encode_func(value, into.func)
    elif isinstance(value, Raw):
        into.ParseFromString(value.data)
    else:
        assert isinstance(value, np.ndarray)
        array_to_tensor(value, into.tensor)


def _encode_func(value: Func, into: Any) -> None:
    into.name = value.name
    for key, attr in value.attrs:
        encode(attr, into.attr[key])


def _encode_item(item: Attr, into: Any) -> None:
    if isinstance(item, bool):
        into.b.append(item)
    elif isinstance(item, int):
        into.i.append(item)
    elif isinstance(item, float):
        into.f.append(item)
    elif isinstance(item, str):
        into.s.append(item.encode("utf-8", "surrogateescape"))
    elif isinstance(item, DType):
        into.type.append(dtype_to_enum(item))
    elif isinstance(item, Shape):
        into.shape.add().CopyFrom(shape_to_proto(item))
    elif isinstance(item, Func):
        _encode_func(item, into.func.add())
    else:
        assert isinstance(item, np.ndarray)
        array_to_tensor(item, into.tensor.add())


def tensor_to_array(proto: Any) -> Array:
    """A `TensorProto` as a NumPy array; large ones are views of one copy of the proto's bytes.

    Raises:
        UnsupportedModel: the content does not fit dtype and shape.
    """
    type_ = dtype_from_enum(proto.dtype)
    np_dtype, shape = type_.numpy, shape_from_proto(proto.tensor_shape)
    if np_dtype is None or not shape.is_full:
        raise UnsupportedModel(f"A constant has dtype {type_} and shape {shape}, which no constant can have.")
    size = shape.size or 0
    if size * np_dtype.itemsize > _MAX_BYTES:
        raise UnsupportedModel(f"A constant claims to be {type_}{shape}, more than 2 GB. The file is damaged.")
    if proto.tensor_content and np_dtype.kind != "O":
        content = proto.tensor_content
        if len(content) != size * np_dtype.itemsize:
            raise UnsupportedModel(f"A constant of {type_}{shape} holds {len(content)} bytes. The file is damaged.")
        return np.frombuffer(content, np_dtype).reshape([d or 0 for d in shape.dims or ()])
    if size * np_dtype.itemsize >= _LAZY_FROM_BYTES and _stored_numbers(proto) == 1:
        return _repeated(proto, [d or 0 for d in shape.dims or ()])
    return _small_tensor(proto)


def _repeated(proto: Any, dims: list[int]) -> Array:
    one = type(proto)()
    one.CopyFrom(proto)
    one.tensor_shape.Clear()
    return np.broadcast_to(_small_tensor(one), dims)


def _stored_numbers(proto: Any) -> int:
    return sum(len(v) for f, v in proto.ListFields() if f.name.endswith("_val") and not f.message_type)


def _small_tensor(proto: Any) -> Array:
    from tensorflow.python.framework import tensor_util

    try:
        return tensor_util.MakeNdarray(proto)
    except (TypeError, ValueError, OverflowError, MemoryError) as error:
        raise UnsupportedModel(f"A constant cannot be read: {error}. The file is damaged.") from error


def array_to_tensor(array: Array, into: Any, type_: DType | None = None) -> None:
    """Writes an array into a `TensorProto`; a repeated value is stored once."""
    from tensorflow.python.framework import tensor_util

    if array.dtype.kind in "OSU":
        into.CopyFrom(tensor_util.make_tensor_proto(array.astype(object) if array.dtype.kind in "SU" else array))
    elif array.size >= _COMPRESS_FROM and is_splat(array):
        into.CopyFrom(tensor_util.make_tensor_proto(array.reshape(-1)[0]))
        into.tensor_shape.CopyFrom(shape_to_proto(Shape(tuple(array.shape))))
    else:
        into.tensor_shape.CopyFrom(shape_to_proto(Shape(tuple(array.shape))))
        into.tensor_content = array.tobytes()
        into.dtype = dtype_to_enum(type_ or dtype_of(array))
    if type_ is not None:
        into.dtype = dtype_to_enum(type_)


def is_splat(array: Array) -> bool:
    """Whether every element has the same bits; the array is not empty."""
    if not any(array.strides):
        return True
    flat = np.ascontiguousarray(array).reshape(-1)
    raw = flat.view(np.uint8).reshape(flat.size, -1)
    return bool((raw[0] == raw[-1]).all() and (raw == raw[0]).all())
