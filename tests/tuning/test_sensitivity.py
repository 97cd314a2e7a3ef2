"""How many layers seem enough, from the size of the error."""

import math

import pytest

from tfpare.tuning.sensitivity import LayerSensitivity, Sensitivities

LAYERS = [LayerSensitivity(f"conv{k}", "Conv2D", (f"conv{k}",), 20.0) for k in range(9)]
SEEN = Sensitivities(LAYERS, {0: 10.0, 1: 11.0, 2: 16.1, 4: 30.1, 8: math.inf})


@pytest.mark.parametrize(
    ("drop", "allowed", "count"),
    [
        (0.10, 0.10, 1),
        (0.10, 0.05, 2),  # half the error: 6 dB
        (0.10, 0.01, 4),
        (0.10, 0.0, 8),
        (math.inf, 0.01, 8),  # nothing is known: at most all but one
    ],
)
def test_the_loss_is_taken_to_go_with_the_error(drop, allowed, count):
    assert SEEN.enough(drop, allowed) == count


def test_where_no_number_seems_enough_all_but_one_are_given_back():
    assert Sensitivities(LAYERS, {0: 10.0, 1: 10.0, 2: 9.0, 4: 12.0, 8: 12.5}).enough(0.5, 0.01) == SEEN.most == 8
