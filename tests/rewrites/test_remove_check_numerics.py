import numpy as np
import pytest

from tests.harness import apply, assert_ignores, parse, run

NAME = "remove_check_numerics"


def test_ignores_other_ops():
    assert_ignores(NAME, "x = input(float32[2])\ny = Relu(x)\nreturn y")


@pytest.mark.parametrize("op", ["CheckNumerics", "CheckNumericsV2"])
def test_nan_passes(op):
    graph = parse(f"x = input(float32[2])\nc = {op}(x, message=stop)\ny = Neg(c)\nreturn y")
    assert apply(graph, NAME)[NAME].applied == 1
    nan = np.array([np.nan, 1], np.float32)
    np.testing.assert_array_equal(run(graph, {"x:0": nan})["y:0"], -nan)
