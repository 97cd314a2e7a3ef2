"""Pictures, decoded and resized by TensorFlow's own ops: the ones that the usual training pipelines used."""
# TensorFlow ships no type information: what comes from it is unknown here, and stays in this file.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import numpy as np

from tfpare.ir.types import Array

_MESSAGE_CHARS = 200


@contextmanager
def _eagerly() -> Generator[None, None, None]:
    """Also in a script that builds graphs or runs without eager."""
    import tensorflow as tf
    from tensorflow.python.eager import context

    with context.eager_mode(), tf.device("/CPU:0"):
        yield


def decode(data: bytes, channels: int) -> Array:
    """A JPEG, PNG, BMP or (its first frame) GIF.

    Args:
        data: the file.
        channels: 1 for grey, 3 for colour, 4 with transparency.

    Returns:
        [height, width, channels] uint8.

    Raises:
        ValueError: it is none of these, or damaged.
    """
    import tensorflow as tf

    try:
        with _eagerly():
            return np.asarray(tf.io.decode_image(data, channels=channels, expand_animations=False).numpy())
    except tf.errors.OpError as error:
        raise ValueError(str(error.message).split("[Op:")[0].strip()[:_MESSAGE_CHARS]) from error


def resize(array: Array, size: tuple[int, int], method: str) -> Array:
    """A picture of another size, not antialiased (as `tf.image.resize` is by default).

    Args:
        array: [height, width, channels].
        size: height and width.
        method: of `tf.image.resize`, or `bilinear-v1`, whose samples are at pixel corners instead of centres.

    Returns:
        float32, or the array's own dtype for `nearest`.
    """
    import tensorflow as tf

    with _eagerly():
        if method == "bilinear-v1":
            return tf.raw_ops.ResizeBilinear(images=array[np.newaxis], size=size).numpy()[0]
        return np.asarray(tf.image.resize(array, size, method=method).numpy())
