import numpy as np
import pytest

from tests.harness import apply, assert_ignores, parse, run

NAME = "replace_mul_by_square"


def test_ignores_two_values():
    assert_ignores(NAME, "x = input(float32[2])\nz = input(float32[2])\ny = Mul(x, z)\nreturn y")


@pytest.mark.parametrize("type_", ["complex64", "complex128"])
def test_same_bits_of_complex_numbers(type_):
    graph, original = (parse(f"x = input({type_}[?])\ny = Mul(x, x)\nreturn y") for _ in range(2))
    assert apply(graph, NAME)[NAME].applied == 1
    parts = np.random.default_rng(0).normal(0, 100, (2, 1001))
    parts[:, :49] = [m.reshape(-1) for m in np.meshgrid(*[[0, -0.0, 1, np.inf, -np.inf, np.nan, 1e30]] * 2)]
    feeds = {"x:0": (parts[0] + 1j * parts[1]).astype(type_)}
    assert run(original, feeds)["y:0"].tobytes() == run(graph, feeds)["y:0"].tobytes()


@pytest.mark.parametrize("type_", ["float16", "float32", "float64", "int8", "int32", "int64", "uint8"])
def test_same_bits(type_):
    graph, original = (parse(f"x = input({type_}[?])\ny = Mul(x, x)\nreturn y") for _ in range(2))
    assert apply(graph, NAME)[NAME].applied == 1
    values = np.random.default_rng(0).normal(0, 100, 67)
    special = [0.0, -0.0, np.inf, -np.inf, np.nan, 3e38, 1e-30] if type_.startswith("float") else [120, -128, 255]
    with np.errstate(all="ignore"):
        x = np.array([*special, *values]).astype(type_)
    feeds = {"x:0": x}
    assert run(original, feeds)["y:0"].tobytes() == run(graph, feeds)["y:0"].tobytes()
