"""Kernels in narrower types: each weight one of its two neighbours, the sums of output channels kept."""

import ml_dtypes
import numpy as np
import pytest

from tests.quant.test_numerics import KERNELS
from tfpare.precision.rounding import round_keeping_sums, round_to_bfloat16
from tfpare.quant.numerics import quantize_kernel

BFLOAT16 = ml_dtypes.bfloat16


def neighbours(kernel):
    """The bfloat16 numbers below and above each weight; the weight itself where it is one."""
    near = kernel.astype(BFLOAT16)
    wide = near.astype(np.float64)
    below = np.where(wide <= kernel, wide, np.nextafter(near, BFLOAT16(-np.inf)).astype(np.float64))
    above = np.where(wide >= kernel, wide, np.nextafter(near, BFLOAT16(np.inf)).astype(np.float64))
    return below, above


def summed(kernel, axes):
    return kernel.sum(axis=tuple(k for k in range(kernel.ndim) if k not in axes))


@pytest.mark.parametrize(("shape", "axes"), KERNELS)
def test_bfloat16_keeps_sums(shape, axes):
    kernel = np.random.default_rng(1).normal(size=shape).astype(np.float32).astype(np.float64)
    found = round_to_bfloat16(kernel, axes)
    assert found.dtype == BFLOAT16
    assert found.shape == shape
    below, above = neighbours(kernel)
    found = found.astype(np.float64)
    assert ((found == below) | (found == above)).all()
    plain = kernel.astype(BFLOAT16).astype(np.float64)
    error, plain_error = (np.abs(summed(k - kernel, axes)) for k in (found, plain))
    assert (error <= plain_error).all()
    assert error.mean() < plain_error.mean() / 3


@pytest.mark.parametrize(("shape", "axes"), KERNELS)
def test_8_bits_keep_sums(shape, axes):
    kernel = np.random.default_rng(1).normal(size=shape)
    found = quantize_kernel(kernel, axes).dequantized(axes)
    step = np.abs(kernel).max(axis=tuple(k for k in range(kernel.ndim) if k not in axes), keepdims=True) / 127
    assert (np.abs(found - kernel) <= step * 1.0001).all()
    # Nothing but a weight that lies on the grid, or the largest, which has no neighbour further out, stands in the way.
    assert (np.abs(summed(found - kernel, axes)) <= step.reshape(summed(kernel, axes).shape) * 0.5001).all()


def test_few_weights_change_sides_and_only_near_the_middle():
    kernel = np.random.default_rng(2).uniform(-100, 100, size=(64, 32))
    found = round_keeping_sums(kernel, (1,), np.rint, lambda values, toward: values + np.sign(toward))
    moved = found != np.rint(kernel)
    assert 0 < moved.sum() < 0.1 * kernel.size
    assert np.abs(np.rint(kernel) - kernel)[moved].min() > 0.35
    np.testing.assert_allclose(found.sum(axis=0), kernel.sum(axis=0), atol=0.51)


def test_weights_of_the_narrower_type_stay():
    kernel = np.random.default_rng(3).normal(size=(3, 3, 8, 1)).astype(BFLOAT16).astype(np.float32)
    np.testing.assert_array_equal(round_to_bfloat16(kernel, (2, 3)).astype(np.float32), kernel)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_rounded_to_the_nearest(bad):
    kernel = np.array([[1.004, bad], [1.004, 1.0]], np.float32)
    np.testing.assert_array_equal(
        round_to_bfloat16(kernel, (1,)).astype(np.float32), kernel.astype(BFLOAT16).astype(np.float32)
    )


def test_the_largest_numbers_do_not_become_infinite():
    largest = float(ml_dtypes.finfo(BFLOAT16).max)
    kernel = np.array([largest * (1 - 2**-10)] * 4 + [1.0, 0.0, -0.0, 1e-44])[:, np.newaxis]
    assert np.isfinite(round_to_bfloat16(kernel, (1,)).astype(np.float64)).all()


@pytest.mark.parametrize("shape", [(0, 4), (4, 0)])
def test_empty_kernels(shape):
    assert round_to_bfloat16(np.zeros(shape, np.float32), (1,)).shape == shape
