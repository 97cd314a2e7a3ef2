"""Grids and kernels in 8 bits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfpare.quant.numerics import dequantize, grid_of, quantize, quantize_kernel, sqnr_db

limits = st.floats(-1e6, 1e6, allow_nan=False, width=32).filter(lambda x: x == 0 or abs(x) > 1e-20)
ROUNDING = 1e-4  # of a step: the scale is a float32


@given(limits, limits)
def test_a_grid_covers_its_range_up_to_half_a_step_and_holds_0(a, b):
    low, high = min(a, b), max(a, b)
    grid = grid_of(low, high)
    step = grid.scale
    half = (0.5 + ROUNDING) * step
    assert abs(grid.low - min(low, 0.0)) <= half or high == low == 0.0
    assert abs(grid.high - max(high, 0.0)) <= half or high == low == 0.0
    assert dequantize(quantize(np.zeros(1), grid), grid)[0] == 0.0


@given(limits, limits, st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_values_in_range_are_off_by_a_step_at_most(a, b, shares):
    low, high = min(a, b, 0.0), max(a, b, 0.0)
    grid = grid_of(low, high)
    values = low + np.array(shares) * (high - low)
    assert np.abs(dequantize(quantize(values, grid), grid) - values).max() <= grid.scale * (1 + ROUNDING)


def test_relu_has_no_zero_point_and_relu6_ends_at_6():
    assert grid_of(0.0, 6.0).zero_point == 0
    assert grid_of(0.0, 6.0).high == pytest.approx(6.0)


@pytest.mark.parametrize("ends", [(0.0, np.nan), (-np.inf, 1.0), (0.0, 1e38)])
def test_no_range(ends):
    with pytest.raises(ValueError, match="no range"):
        grid_of(*ends)


def test_zeros_alone():
    assert grid_of(0.0, 0.0).zero_point == 0


KERNELS = [((3, 3, 4, 8), (3,)), ((3, 3, 8, 1), (2, 3)), ((16, 8), (1,))]


@pytest.mark.parametrize(("shape", "axes"), KERNELS)
def test_kernels_per_channel(shape, axes):
    kernel = np.random.default_rng(0).normal(size=shape) * np.logspace(-6, 6, 8).reshape(
        [8 if k in axes and shape[k] == 8 else 1 for k in range(len(shape))]
    )
    found = quantize_kernel(kernel, axes)
    error = np.abs(found.dequantized(axes) - kernel)
    step = np.abs(kernel).max(axis=tuple(k for k in range(len(shape)) if k not in axes), keepdims=True) / 127
    assert (error <= step * 1.0001).all()  # one of the two neighbours
    assert (error <= step * 0.5001).mean() > 0.8
    assert found.values.min() >= -127
    rest = tuple(k for k in range(len(shape)) if k not in axes)
    np.testing.assert_array_equal(found.sums, found.values.astype(int).sum(axis=rest).reshape(-1))


def test_channels_of_zeros_and_denormals():
    kernel = np.zeros((2, 3))
    kernel[0, 1] = 1e-42
    assert not quantize_kernel(kernel, (1,)).values.any()
    assert np.isfinite(quantize_kernel(kernel, (1,)).scales).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e38])
def test_kernels_that_8_bits_cannot_hold(bad):
    with pytest.raises(ValueError, match="NaN, infinities or huge"):
        quantize_kernel(np.array([[1.0, bad]]), (1,))


def test_sqnr():
    x = np.array([3.0, 4.0])
    assert sqnr_db(x, x) == np.inf
    assert sqnr_db(x, x + np.array([0.5, 0.0])) == pytest.approx(20.0)
    assert sqnr_db(np.zeros(2), x) == -np.inf


def test_per_tensor_every_channel_has_the_largest_scale():
    kernel = np.random.default_rng(0).normal(size=(3, 3, 4, 5)) * [1, 2, 3, 4, 0.01]
    found = quantize_kernel(kernel, (3,), per_channel=False)
    assert found.scales == pytest.approx(np.abs(kernel).max() / 127)
    assert found.scales.shape == (5,)
    assert np.abs(found.dequantized((3,)) - kernel).max() <= found.scales[0] * (1 + 1e-6)
