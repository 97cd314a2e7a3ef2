"""From pixels, or plain numbers, to what an input takes: crop, resize, order, (x·scale − mean) / std, layout."""

from __future__ import annotations

import numpy as np

from tfpare.data.types import DataError, DataOptions
from tfpare.feeds.spec import InputSpec
from tfpare.ir.types import Array

METHODS = (
    *("bilinear", "nearest", "bicubic", "area", "lanczos3", "lanczos5", "gaussian", "mitchellcubic"),
    "bilinear-v1",
)
_CHANNELS = (1, 3, 4)


class Preprocess:
    """What is done to every value of one numeric input.

    Args:
        spec: the input.
        options: what the user asked for.

    Raises:
        DataError: settings that contradict each other or the input.
    """

    def __init__(self, spec: InputSpec, options: DataOptions) -> None:
        self._spec, self._options = spec, options
        self.is_nchw = options.layout == "NCHW" or (options.layout == "" and _is_nchw(spec))
        self.channels = self._count_channels()
        self._check()
        self._wide = np.dtype(np.float64 if spec.dtype.name == "float64" else np.float32)
        self._scale = np.array(options.scale, self._wide)
        self._mean, self._std = np.array(options.mean or 0.0, self._wide), np.array(options.std or 1.0, self._wide)

    def _count_channels(self) -> int | None:
        dims = self._spec.dims
        return None if dims is None or len(dims) != 4 else dims[1] if self.is_nchw else dims[3]

    def _check(self) -> None:
        options = self._options
        for name, values in (("--mean", options.mean), ("--std", options.std)):
            if len(values) not in (0, 1, self.channels or len(values)):
                raise DataError(f"{name} has {len(values)} numbers, input {self._spec.key!r} {self.channels} channels.")
        if 0.0 in options.std:
            raise DataError("--std is a divisor: it may not be 0.")
        if options.resize_method not in METHODS:
            raise DataError(f"There is no resize method {options.resize_method!r}. Known: {', '.join(METHODS)}.")
        if options.central_crop is not None and not 0 < options.central_crop <= 1:
            raise DataError("--central-crop is the part that is kept: above 0, at most 1.")
        if options.channel_order not in ("RGB", "BGR") or options.layout not in ("", "NHWC", "NCHW"):
            raise DataError("--channel-order is RGB or BGR, --layout NHWC or NCHW.")

    def takes_picture(self, array: Array) -> bool:
        """Whether a value goes to an input of pictures."""
        dims = self._spec.dims
        return array.ndim == 3 if dims is None else len(dims) == 4 and array.ndim in (2, 3)

    def __call__(self, array: Array) -> Array:
        """One sample's value: [height, width(, channels)] or any numbers; the dtype is not yet the input's."""
        if not self.takes_picture(array):
            return self._numbers(array)
        if array.ndim == 2:
            array = array[:, :, np.newaxis]
        elif self.is_nchw and array.shape[0] in _CHANNELS and array.shape[2] not in _CHANNELS:
            array = np.transpose(array, (1, 2, 0))
        array = self._numbers(self._pixels(array))
        return np.transpose(array, (2, 0, 1)) if self.is_nchw else array

    def _pixels(self, array: Array) -> Array:
        options = self._options
        if options.central_crop is not None:
            array = central_crop(array, options.central_crop)
        if options.resize is not None and array.shape[:2] != options.resize:
            from tfpare.io.images import resize  # noqa: PLC0415 - TensorFlow, only where it is needed

            array = resize(array, options.resize, options.resize_method)
        return array[:, :, ::-1] if options.channel_order == "BGR" else array

    def _numbers(self, array: Array) -> Array:
        options = self._options
        if options.scale == 1.0 and not options.mean and not options.std:
            return array
        return (array.astype(self._wide) * self._scale - self._mean) / self._std


def central_crop(array: Array, fraction: float) -> Array:
    """The middle of [height, width, channels], as `tf.image.central_crop` cuts it."""
    top, left = (int((n - n * fraction) / 2) for n in array.shape[:2])
    return array[top : array.shape[0] - top, left : array.shape[1] - left]


def _is_nchw(spec: InputSpec) -> bool:
    dims = spec.dims
    return dims is not None and len(dims) == 4 and dims[1] in _CHANNELS and dims[3] not in _CHANNELS


def describe_preprocessing(options: DataOptions) -> str:
    """In words, for reports; empty where nothing is done."""
    steps: list[str] = []
    if options.central_crop is not None:
        steps.append(f"central {options.central_crop:g} of each side")
    if options.resize is not None:
        steps.append(f"resized to {options.resize[0]}x{options.resize[1]} ({options.resize_method})")
    if options.channel_order != "RGB":
        steps.append(options.channel_order)
    if options.scale != 1.0:
        steps.append(f"times {options.scale:.6g}")
    if options.mean:
        steps.append(f"minus {_numbers(options.mean)}")
    if options.std:
        steps.append(f"divided by {_numbers(options.std)}")
    if options.layout:
        steps.append(options.layout)
    return ", ".join(steps)


def _numbers(values: tuple[float, ...]) -> str:
    return "/".join(f"{v:g}" for v in values)
