"""Serialized tf.Examples for models that parse them."""

from __future__ import annotations

from collections.abc import Mapping

from tfpare.ir.types import Array


def serialize(features: Mapping[str, Array]) -> bytes:
    """A tf.Example; integers become int64 lists, floats float lists, object arrays (of bytes) byte lists."""
    from tensorflow.core.example import example_pb2

    example = example_pb2.Example()
    for key, array in features.items():
        feature = example.features.feature[key]
        values = array.ravel().tolist()
        if array.dtype.kind == "O":
            feature.bytes_list.value.extend(values)
        elif array.dtype.kind == "f":
            feature.float_list.value.extend(values)
        else:
            feature.int64_list.value.extend(values)
    return example.SerializeToString(deterministic=True)
