"""What streams by, against NumPy on all of it at once."""

import numpy as np
import pytest

from tfpare.quant.choice import range_of
from tfpare.quant.numerics import dequantize, grid_of, quantize
from tfpare.quant.observers import BINS, Observer

RNG = np.random.default_rng(0)


def observed(*batches):
    observer = Observer(keeps_histogram=True)
    for batch in batches:
        assert observer.update(batch)
    return observer


def test_extremes_and_counts_are_those_of_all_batches():
    batches = [RNG.normal(0, s, (7, 11)).astype(np.float32) for s in (0.1, 3.0, 0.5, 40.0)]
    observer, everything = observed(*batches), np.concatenate(batches)
    assert (observer.low, observer.high) == (everything.min(), everything.max())
    counts, _ = np.histogram(everything, observer.edges)
    assert observer.counts.sum() == everything.size
    # Values at an edge may be counted on either side.
    assert np.abs(observer.counts - counts).sum() <= 4


def test_zeros_first():
    observer = observed(np.zeros(5, np.float32), np.array([1.0, -2.0], np.float32))
    assert observer.counts.sum() == 7
    assert observer.counts[BINS // 2] == 5


def test_moving_average():
    observer = observed(np.array([0.0, 10.0], np.float32), np.array([0.0, 20.0], np.float32))
    assert range_of(observer, "moving-average") == pytest.approx((0.0, 11.0))


def test_means_of_channels_are_those_of_all_batches():
    batches = [RNG.normal(1, 2, (n, 5, 5, 3)).astype(np.float32) for n in (4, 1, 2)]
    everything = np.concatenate(batches).astype(np.float64)
    np.testing.assert_allclose(observed(*batches).means, everything.mean(axis=(0, 1, 2)), rtol=1e-12)
    assert range_of(observed(*batches), "minmax").means.shape == (3,)


@pytest.mark.parametrize("shapes", [[(4,)], [(2, 3), (2, 4)], [(2, 3), (2, 4), (2, 3)], [()]])
def test_what_has_no_channels_has_no_means(shapes):
    assert observed(*(np.ones(s, np.float32) for s in shapes)).means is None


def test_zeros_behind_relu_do_not_decide_what_entropy_keeps():
    values = np.maximum(RNG.normal(0, 1, 100_000), 0).astype(np.float32)
    observer = observed(values, np.full(3, 40.0, np.float32))
    low, high = range_of(observer, "entropy")
    assert low == 0
    assert high >= 3  # standard deviations; with the zeros counted it was the narrowest range that is tried
    assert range_of(observed(values), "entropy")[1] >= 3


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused_and_not_counted(bad):
    observer = observed(np.ones(3, np.float32))
    assert not observer.update(np.array([bad, 5.0], np.float32))
    assert (observer.high, observer.batches) == (1.0, 1)


def test_an_empty_batch_is_nothing():
    assert Observer().update(np.zeros((0, 4), np.float32))
    assert range_of(Observer(), "minmax") is None


def test_state_survives():
    observer = observed(RNG.normal(size=100).astype(np.float32))
    again = Observer.of(observer.state())
    for more in (observer, again):
        more.update(np.full(3, 9.0, np.float32))
    np.testing.assert_array_equal(observer.state(), again.state())


def test_percentile():
    values = np.concatenate([np.linspace(0, 1, 99_000), np.full(1000, 100.0)]).astype(np.float32)
    low, high = range_of(observed(values), "percentile", 98.0)
    assert (low, high) == pytest.approx((0.02, np.percentile(values, 98.0)), abs=128 * 2 / BINS)


@pytest.mark.parametrize("calibration", ["mse", "entropy"])
def test_a_single_outlier_is_cut_off(calibration):
    values = np.abs(RNG.normal(size=200_000)).astype(np.float32)
    values[0] = 12.0
    low, high = range_of(observed(values), calibration)
    assert low == 0.0
    assert 3.0 < high < 11.0


def square_error(values, share):
    """Of rounding to the grid over a share of the whole range."""
    grid = grid_of(float(values.min()) * share, float(values.max()) * share)
    return np.square(dequantize(quantize(values, grid), grid) - values).mean()


def test_mse_is_about_the_best_range():
    values = RNG.laplace(size=100_000).astype(np.float32)
    high = range_of(observed(values), "mse")[1]
    best = min(square_error(values, s) for s in np.linspace(0.2, 1.0, 33))
    assert square_error(values, high / float(values.max())) <= 1.1 * best


def test_entropy_does_not_take_a_range_at_any_price():
    # A constant background behind biases: KL is least where the few frequent values lie on steps of their own.
    frequent = np.repeat(np.array([0.031, 0.113, 0.402], np.float32), 100_000)
    values = np.concatenate([frequent, np.abs(RNG.normal(0, 1, 100_000)).astype(np.float32)])
    high = range_of(observed(values), "entropy")[1]
    # Bins are a fifth of a step wide; it was 200 times and more.
    assert square_error(values, high / float(values.max())) <= 2 * square_error(values, 1.0)


@pytest.mark.parametrize("calibration", ["minmax", "percentile", "mse", "entropy"])
@pytest.mark.parametrize("magnitude", [2e37, 3.4e38])
def test_what_no_grid_covers_keeps_its_extremes(calibration, magnitude):
    # Masks of attention are such numbers.
    low, high = range_of(observed(np.array([-magnitude, 0.0, 1.0], np.float32)), calibration)
    assert (low, high) == (-np.float32(magnitude), 1.0)
    with pytest.raises(ValueError, match="no range for 8 bits"):
        grid_of(low, high)


@pytest.mark.parametrize("calibration", ["minmax", "percentile", "mse", "entropy"])
@pytest.mark.parametrize("magnitude", [2.0**-126, 2.0**-120, 2.0**-99])
def test_tiny_numbers_have_a_range(calibration, magnitude):
    observer = observed(np.array([-magnitude, 0.0, magnitude], np.float32))
    assert observer.counts.sum() == 3
    low, high = range_of(observer, calibration)
    assert -magnitude <= low <= high <= magnitude
