"""Student's quantiles against the tables."""

import pytest

from tfpare.student import student_t


@pytest.mark.parametrize(
    ("level", "freedom", "t"),
    [
        (0.95, 1, 12.706),
        (0.95, 2, 4.303),
        (0.95, 6, 2.447),
        (0.95, 30, 2.042),
        (0.99, 4, 4.604),
        (0.99, 5, 4.032),
        (0.95, 99, 1.9842),
        (0.95, 100, 1.9840),
        (0.95, 1000, 1.9623),
    ],
)
def test_tables(level, freedom, t):
    assert student_t(freedom, level) == pytest.approx(t, abs=0.0006)
