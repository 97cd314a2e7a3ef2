"""Exports Keras application networks with realistic values, for the benchmarks.

The networks are not trained (the public weights need a download), but their values look like trained ones: He-scaled
kernels, uneven gammas and betas, moving statistics taken from the network's own activations and then disturbed, so
that activations neither die nor explode and a wrongly folded batch norm shows in the output.

    python benchmarks/make_keras_models.py OUT_DIR [MobileNetV2 ...]

writes, for each name, the SavedModel `OUT_DIR/<name>` and, beside it, 16 images in `OUT_DIR/<name>.inputs.npz`, whose
key is the input's name in `serving_default`. Models that are already there are left alone.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import numpy as np
import tensorflow as tf

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Array = NDArray[np.float32]

CALIBRATION_IMAGES = 8
SAVED_IMAGES = 16
TOP_PROBABILITY = 0.5
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Network:
    """One network to export.

    Attributes:
        build: Makes the Keras model.
        preprocess: Turns RGB images in 0..255 into what the model takes.
        seed: Fixes every random value of the model and of its images.
    """

    build: Callable[..., Any]
    preprocess: Callable[[Any], Any]
    seed: int


_APPS = keras.applications
NETWORKS = {
    "MobileNetV2": Network(_APPS.MobileNetV2, _APPS.mobilenet_v2.preprocess_input, 1),
    "ResNet50": Network(_APPS.ResNet50, _APPS.resnet50.preprocess_input, 2),
    "InceptionV3": Network(_APPS.InceptionV3, _APPS.inception_v3.preprocess_input, 3),
    "EfficientNetB0": Network(_APPS.EfficientNetB0, _APPS.efficientnet.preprocess_input, 4),
}


def smooth_images(rng: np.random.Generator, count: int, height: int, width: int) -> Array:
    """Makes random RGB images that are smooth like photographs, with whole values in 0..255.

    Args:
        rng: Source of randomness.
        count: Number of images.
        height: Height in pixels.
        width: Width in pixels.

    Returns:
        Images of shape `[count, height, width, 3]`.
    """
    coarse = rng.uniform(0, 1, (count, height // 16 + 1, width // 16 + 1, 3))
    images = tf.image.resize(coarse, (height, width), "bicubic").numpy()
    images += rng.normal(0, 0.05, images.shape)
    return np.round(np.clip(images, 0, 1) * 255).astype(np.float32)


def _initial_value(layer: Any, name: str, shape: tuple[int, ...], rng: np.random.Generator) -> Array | None:
    """Returns a new value for one weight, or None to leave it as it is."""
    if name == "kernel":
        depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
        fan_in = math.prod(shape[:2]) if depthwise else math.prod(shape[:-1])
        value = rng.normal(0, math.sqrt(2 / fan_in), shape)
    elif name == "bias":
        value = rng.normal(0, 0.1, shape)
    elif name == "gamma":
        value = rng.uniform(0.6, 1.4, shape)
    elif name == "beta":
        value = rng.normal(0, 0.2, shape)
    else:
        return None
    return value.astype(np.float32)


def randomise(model: Any, rng: np.random.Generator) -> None:
    """Gives every kernel, bias, gamma and beta of `model` a random value; normalizes inputs as for ImageNet."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.Normalization):
            layer.adapt_mean.assign(IMAGENET_MEAN)
            layer.adapt_variance.assign(np.square(IMAGENET_STD))
            layer.finalize_state()
            continue
        for weight in layer.weights:
            value = _initial_value(layer, weight.name, tuple(weight.shape), rng)
            if value is not None:
                weight.assign(value)


@contextmanager
def _calibrating(model: Any) -> Iterator[list[Any]]:
    """Makes batch norms remember the last batch only and switches dropout off, for the time of a `with` block."""
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    drops = [layer for layer in model.layers if isinstance(layer, keras.layers.Dropout)]
    momenta, rates = [layer.momentum for layer in norms], [layer.rate for layer in drops]
    try:
        for layer in norms:
            layer.momentum = 0.0
        for layer in drops:
            layer.rate = 0.0
        yield norms
    finally:
        for layer, momentum in zip(norms, momenta, strict=True):
            layer.momentum = momentum
        for layer, rate in zip(drops, rates, strict=True):
            layer.rate = rate


def calibrate(model: Any, images: Array, rng: np.random.Generator) -> None:
    """Sets the moving statistics of every batch norm to those of its activations over `images`, slightly disturbed."""
    with _calibrating(model) as norms:
        model(images, training=True)
    for layer in norms:
        mean, variance = layer.moving_mean.numpy(), layer.moving_variance.numpy()
        shift = rng.normal(0, 0.1, mean.shape) * np.sqrt(variance + 1e-6)
        layer.moving_mean.assign((mean + shift).astype(np.float32))
        layer.moving_variance.assign((variance * rng.uniform(0.8, 1.25, mean.shape) + 1e-4).astype(np.float32))


def _top(logits: NDArray[np.float64]) -> float:
    """Returns the largest softmax probability of any row."""
    exp = np.exp(logits - logits.max(axis=1, keepdims=True))
    return float((1 / exp.sum(axis=1)).max())


def scale_classifier(model: Any, images: Array) -> None:
    """Scales the last kernel so that the surest answer has the probability `TOP_PROBABILITY`.

    The bias first takes away what all images have in common, so that different images get different labels.

    Args:
        model: A model whose last layer is a dense softmax.
        images: Images to look at.
    """
    classifier = model.layers[-1]
    features = keras.Model(model.input, classifier.input)(images, training=False).numpy().astype(np.float64)
    kernel, bias = classifier.kernel.numpy().astype(np.float64), classifier.bias.numpy()
    logits = (features - features.mean(axis=0)) @ kernel
    low, high = 1e-3, 1e3
    for _ in range(60):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if _top(logits * middle + bias) < TOP_PROBABILITY else (low, middle)
    classifier.kernel.assign((kernel * low).astype(np.float32))
    classifier.bias.assign((bias - features.mean(axis=0) @ kernel * low).astype(np.float32))


def build(network: Network) -> tuple[Any, Array]:
    """Builds one network with its final values.

    Args:
        network: What to build.

    Returns:
        The model, and images for it that its batch norms have not seen.
    """
    keras.utils.clear_session()
    keras.utils.set_random_seed(network.seed)
    rng = np.random.default_rng(network.seed)
    model = network.build(weights=None)
    height, width = model.input_shape[1:3]
    images = smooth_images(rng, CALIBRATION_IMAGES + SAVED_IMAGES, height, width)
    inputs = np.asarray(network.preprocess(images), np.float32)
    randomise(model, rng)
    calibrate(model, inputs[:CALIBRATION_IMAGES], rng)
    scale_classifier(model, inputs)
    return model, inputs[CALIBRATION_IMAGES:]


def export(name: str, out_dir: Path) -> str:
    """Exports one network and its inputs, unless both are there.

    Args:
        name: A key of `NETWORKS`.
        out_dir: Folder to write to.

    Returns:
        One line that says what was done.

    Raises:
        ValueError: If the outputs are not finite, or the exported model does not answer as the Keras model does.
    """
    path, inputs_path = out_dir / name, out_dir / f"{name}.inputs.npz"
    if (path / "saved_model.pb").exists() and inputs_path.exists():
        return f"{name}: already in {path}"
    model, images = build(NETWORKS[name])
    expected = model(images, training=False).numpy()
    model.export(str(path), verbose=False)
    loaded = tf.saved_model.load(str(path))
    signature = loaded.signatures["serving_default"]
    (key,) = signature.structured_input_signature[1]
    (actual,) = (value.numpy() for value in signature(**{key: tf.constant(images)}).values())
    if not np.isfinite(expected).all() or not np.allclose(actual, expected, rtol=1e-3, atol=1e-5):
        raise ValueError(f"{name}: the exported model is wrong: {actual} instead of {expected}")
    arrays: dict[str, Any] = {key: images}
    np.savez_compressed(inputs_path, **arrays)
    top, labels = expected.max(axis=1), len(set(expected.argmax(axis=1).tolist()))
    return (
        f"{name}: {path}, {model.count_params():,} parameters, input {key!r} {list(images.shape)}, top probability "
        f"{top.min():.2f}..{top.max():.2f} (mean {top.mean():.2f}), {labels} different labels"
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Args:
        argv: Arguments, those of the process by default.

    Returns:
        The exit code.
    """
    parser = argparse.ArgumentParser(description="Export Keras application networks with realistic values.")
    parser.add_argument("out_dir", type=Path, help="folder for the SavedModels and their inputs")
    parser.add_argument("names", nargs="*", metavar="name", help=f"any of {', '.join(NETWORKS)} (default: all)")
    args = parser.parse_args(argv)
    unknown = sorted(set(args.names) - set(NETWORKS))
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)} (known: {', '.join(NETWORKS)})")
    args.out_dir.mkdir(parents=True, exist_ok=True)
    for name in args.names or NETWORKS:
        print(export(name, args.out_dir), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
