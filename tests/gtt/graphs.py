"""Small graphs of TF 1, of which cases of the Graph Transform Tool are made; `v1` is `tf.compat.v1`."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.compat.helpers import build


def numbers(name: str, *shape: int, low: float = -1.0, high: float = 1.0, dtype: str = "float32") -> np.ndarray:
    """Numbers that depend on the name alone."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    return np.asarray(rng.uniform(low, high, shape)).astype(dtype)


def weights(v1: Any, name: str, *shape: int, is_read: bool = False, **options: Any) -> Any:
    """A constant; `is_read` puts the Identity behind it that freezing a variable leaves."""
    made = v1.constant(numbers(name, *shape, **options), name=name)
    return v1.identity(made, name=f"{name}/read") if is_read else made


def conv(
    v1: Any, x: Any, filters: int, name: str = "conv", kernel: Any = 3, is_read: bool = False, **attrs: Any
) -> Any:
    """A convolution; `kernel` is a size, or the tensor itself."""
    channels = x.shape[1 if attrs.get("data_format") == "NCHW" else 3]
    if isinstance(kernel, int):
        reach = (6 / (kernel * kernel * int(channels))) ** 0.5
        dims = (kernel, kernel, int(channels), filters)
        kernel = weights(v1, f"{name}/weights", *dims, low=-reach, high=reach, dtype=x.dtype.name, is_read=is_read)
    return v1.raw_ops.Conv2D(input=x, filter=kernel, **{"strides": [1, 1, 1, 1], "padding": "SAME", **attrs}, name=name)


_STATISTICS = {"scale": (0.5, 1.5), "offset": (-0.5, 0.5), "mean": (-0.5, 0.5), "variance": (0.5, 1.5)}


def batch_norm(
    v1: Any, x: Any, name: str = "bn", op: str = "FusedBatchNorm", is_read: bool = False, **other: Any
) -> Any:
    """All outputs of a fused batch norm over the last dimension; `other` replaces statistics and attributes."""
    own = {
        key: weights(v1, f"{name}/{key}", int(x.shape[3]), low=low, high=high, is_read=is_read)
        for key, (low, high) in _STATISTICS.items()
        if key not in other
    }
    return getattr(v1.raw_ops, op)(x=x, **{**own, "epsilon": 1e-3, "is_training": False, **other}, name=name)


def image_graph(make: Callable[[Any, Any], Any], size: int = 6, batch: int | None = 2, dtype: str = "float32") -> Any:
    """The GraphDef of what `make(v1, input)` builds over images of three channels."""
    return build(lambda v1: make(v1, v1.placeholder(dtype, [batch, size, size, 3], name="input")))


def loop_graph(make: Callable[[Any, Any], Any], *shape: int) -> Any:
    """The GraphDef of a TF 1 while loop that does `make(v1, value)` three times: `x` → `output`."""

    def whole(v1: Any) -> None:
        v1.disable_control_flow_v2()
        x = v1.placeholder("float32", list(shape), name="x")
        body = (lambda i, y: i < 3), (lambda i, y: (i + 1, make(v1, y)))
        v1.identity(v1.while_loop(*body, [v1.constant(0, name="i0"), x], name="loop")[1], name="output")

    return build(whole)


class Net:
    """Layers of trained networks as freezing leaves them: each variable is a Const and an Identity."""

    def __init__(self, v1: Any, norm: str) -> None:
        self.v1, self.norm = v1, norm

    def conv(self, x: Any, filters: int, kernel: int, name: str, stride: int = 1, act: str | None = "relu") -> Any:
        """Convolution, batch norm, activation."""
        made = conv(self.v1, x, filters, name, kernel, is_read=True, strides=[1, stride, stride, 1])
        return self.normed(made, name, act)

    def depthwise(self, x: Any, name: str, stride: int = 1) -> Any:
        """Depthwise convolution, batch norm, ReLU6."""
        kernel = weights(self.v1, f"{name}/depthwise_weights", 3, 3, int(x.shape[3]), 1, is_read=True)
        made = self.v1.nn.depthwise_conv2d_native(x, kernel, [1, stride, stride, 1], "SAME", name=name)
        return self.normed(made, name, "relu6")

    def normed(self, x: Any, name: str, act: str | None) -> Any:
        """Batch norm, activation."""
        normed = batch_norm(self.v1, x, f"{name}/BatchNorm", self.norm, is_read=True)[0]
        return getattr(self.v1.nn, act)(normed, name=f"{name}/act") if act else normed

    def logits(self, x: Any, classes: int = 5) -> None:
        """Global pooling, a 1×1 convolution with bias, softmax: `output`."""
        pooled = self.v1.reduce_mean(x, [1, 2], keepdims=True, name="pool")
        made = conv(self.v1, pooled, classes, "logits", 1, is_read=True)
        biased = self.v1.nn.bias_add(made, weights(self.v1, "logits/biases", classes, is_read=True))
        self.v1.nn.softmax(self.v1.squeeze(biased, [1, 2]), name="output")


def resnet50(v1: Any, image: Any, norm: str) -> None:
    """ResNet-50, version 1: four stages of 3, 4, 6 and 3 bottlenecks, with few channels."""
    net = Net(v1, norm)
    padded = v1.pad(image, [[0, 0], [3, 3], [3, 3], [0, 0]])
    x = net.normed(conv(v1, padded, 4, "conv1", 7, True, strides=[1, 2, 2, 1], padding="VALID"), "conv1", "relu")
    x = v1.nn.max_pool(x, [1, 3, 3, 1], [1, 2, 2, 1], "SAME", name="pool1")
    for block, units in enumerate((3, 4, 6, 3)):
        for unit in range(units):
            x = _bottleneck(net, x, 2 << block, f"block{block}/unit{unit}", 2 if block and unit == 0 else 1, unit == 0)
    net.logits(x)


def _bottleneck(net: Net, x: Any, depth: int, name: str, stride: int, is_projected: bool) -> Any:
    shortcut = net.conv(x, 4 * depth, 1, f"{name}/shortcut", stride, act=None) if is_projected else x
    inner = net.conv(x, depth, 1, f"{name}/conv1", stride)
    inner = net.conv(net.conv(inner, depth, 3, f"{name}/conv2"), 4 * depth, 1, f"{name}/conv3", act=None)
    return net.v1.nn.relu(shortcut + inner, name=f"{name}/relu")


def inception_v1(v1: Any, image: Any, norm: str) -> None:
    """Inception v1: a stem and nine modules of four branches, with few channels."""
    net = Net(v1, norm)

    def pool(x: Any, name: str, stride: int = 2) -> Any:
        return v1.nn.max_pool(x, [1, 3, 3, 1], [1, stride, stride, 1], "SAME", name=name)

    x = pool(net.conv(image, 4, 7, "Conv2d_1a", stride=2), "MaxPool_2a")
    x = pool(net.conv(net.conv(x, 4, 1, "Conv2d_2b"), 6, 3, "Conv2d_2c"), "MaxPool_3a")
    for module in ("3b", "3c", None, "4b", "4c", "4d", "4e", "4f", None, "5b", "5c"):
        if module is None:
            x = pool(x, f"pool_{x.shape[1]}")
            continue
        name = f"Mixed_{module}/b"
        branches = [
            net.conv(x, 4, 1, f"{name}0"),
            net.conv(net.conv(x, 3, 1, f"{name}1a"), 4, 3, f"{name}1b"),
            net.conv(net.conv(x, 2, 1, f"{name}2a"), 3, 3, f"{name}2b"),
            net.conv(pool(x, f"{name}3/pool", 1), 3, 1, f"{name}3"),
        ]
        x = v1.concat(branches, 3, name=f"Mixed_{module}/concat")
    net.logits(x)


def mobilenet(v1: Any, image: Any, norm: str) -> None:
    """MobileNet v1: a convolution and six pairs of depthwise and pointwise ones, with few channels."""
    net = Net(v1, norm)
    x = net.conv(image, 4, 3, "Conv2d_0", stride=2, act="relu6")
    for k, (filters, stride) in enumerate([(6, 1), (8, 2), (8, 1), (10, 2), (10, 1), (12, 2)], 1):
        x = net.depthwise(x, f"Conv2d_{k}_depthwise", stride)
        x = net.conv(x, filters, 1, f"Conv2d_{k}_pointwise", act="relu6")
    net.logits(x)
