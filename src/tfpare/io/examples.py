"""Serialized tf.Examples for models that parse them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

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


def parse(data: bytes) -> dict[str, Array]:
    """A tf.Example's features: flat arrays of int64, float32, or objects (of bytes); empty features are left out.

    Raises:
        ValueError: it is none.
    """
    from google.protobuf.message import DecodeError
    from tensorflow.core.example import example_pb2

    try:
        features = example_pb2.Example.FromString(data).features.feature
    except DecodeError as error:
        raise ValueError(str(error)) from error
    found: dict[str, Array] = {}
    for key, feature in features.items():
        kind = feature.WhichOneof("kind")
        if kind == "int64_list":
            found[key] = np.array(feature.int64_list.value, np.int64)
        elif kind == "float_list":
            found[key] = np.array(feature.float_list.value, np.float32)
        elif kind == "bytes_list":
            found[key] = np.array([*feature.bytes_list.value, None], object)[:-1]  # never a fixed-width array
    return {key: array for key, array in found.items() if array.size}
