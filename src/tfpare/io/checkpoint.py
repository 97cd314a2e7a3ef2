"""Checkpoints: reading values lazily, and writing a new one with only the variables that remain."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tfpare.errors import UnsupportedModel
from tfpare.ir.types import Array

OBJECT_GRAPH_KEY = "_CHECKPOINTABLE_OBJECT_GRAPH"


class Checkpoint:
    """A checkpoint by its prefix.

    Raises:
        UnsupportedModel: its files are missing or damaged.
    """

    def __init__(self, prefix: Path) -> None:
        from tensorflow.python.training import py_checkpoint_reader

        self.prefix = prefix
        index = Path(f"{prefix}.index")
        if not index.is_file():
            raise UnsupportedModel(f"{index} is missing: the model's variables cannot be read.")
        try:
            self._reader: Any = py_checkpoint_reader.NewCheckpointReader(str(prefix))
            self.shapes: dict[str, list[int]] = self._reader.get_variable_to_shape_map()
            self.dtypes: dict[str, Any] = self._reader.get_variable_to_dtype_map()
        except Exception as error:
            raise UnsupportedModel(f"The checkpoint {prefix} cannot be read: {_first_line(error)}") from error

    def __contains__(self, key: str) -> bool:
        return key in self.shapes

    def tensor(self, key: str, slice_spec: str = "") -> Array:
        """The value stored under `key`; with a slice spec such as `2000 16 0,667:0,16`, that part of it."""
        try:
            value: Array = self._restore(key)
        except Exception as error:
            raise UnsupportedModel(
                f"Tensor {key!r} of checkpoint {self.prefix} cannot be read: {_first_line(error)}. "
                "A data file is missing or cut off."
            ) from error
        return value[parse_slice(slice_spec)] if slice_spec else value

    def _restore(self, key: str) -> Array:
        """By the op: what the reader's own get_tensor returns stays in memory after it was freed."""
        import tensorflow as tf
        from tensorflow.python.eager import context

        arguments = {"prefix": str(self.prefix), "tensor_names": [key], "shape_and_slices": [""]}
        with context.eager_mode():  # also in a script that runs without eager execution
            return tf.raw_ops.RestoreV2(**arguments, dtypes=[self.dtypes[key]])[0].numpy()

    def object_graph(self) -> Any | None:
        """The `TrackableObjectGraph` proto, None in a checkpoint of TF 1."""
        from tensorflow.core.protobuf import trackable_object_graph_pb2

        if OBJECT_GRAPH_KEY not in self:
            return None
        proto = trackable_object_graph_pb2.TrackableObjectGraph()
        content: Any = self.tensor(OBJECT_GRAPH_KEY)
        proto.ParseFromString(content)
        return proto


def parse_slice(spec: str) -> tuple[slice, ...]:
    """`2000 16 0,667:0,16` (full shape, then start,length or `-` per dimension) as Python slices."""
    parts = spec.split(" ")[-1].split(":")
    slices: list[slice] = []
    for part in parts:
        if part == "-":
            slices.append(slice(None))
        else:
            start, _, length = part.partition(",")
            slices.append(slice(int(start), int(start) + int(length)))
    return tuple(slices)


def write(prefix: Path, tensors: dict[str, Array], slices: dict[str, str] | None = None) -> None:
    """Writes a checkpoint with TensorFlow's own writer.

    Raises:
        OSError: the disk is full, or the like.
    """
    import tensorflow as tf
    from tensorflow.python.eager import context

    names = list(tensors)
    specs = [(slices or {}).get(n, "") for n in names]
    keys = [n.partition("@")[0] for n in names]
    try:
        with context.eager_mode():
            constants = [tf.constant(tensors[n]) for n in names]
            tf.raw_ops.SaveV2(prefix=str(prefix), tensor_names=keys, shape_and_slices=specs, tensors=constants)
    except tf.errors.OpError as error:
        raise OSError(_first_line(error)) from error


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0]
