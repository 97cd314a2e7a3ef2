"""What replace_batch_matmul_by_matmul declines and does not match, and its other forms."""

import numpy as np
import pytest

from tests.harness import apply, assert_declines, assert_ignores, assert_rewrites, parse, run

NAME = "replace_batch_matmul_by_matmul"


def test_declines_a_transposed_input():
    source = "x = input(float32[?,8,6])\nk = const(float32[8,4])\ny = BatchMatMulV2(x, k, adj_x=true)\nreturn y"
    assert_declines(NAME, source, "read transposed")


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        ("[?,?,8]", "more than one dimension is unknown"),
        ("[?,6,?]", "the summed one unknown"),
        ("[?,0,8]", "a dimension is 0"),
        ("[0,6,8]", "a dimension is 0"),
    ],
)
def test_declines_shapes(shape, reason):
    assert_declines(
        NAME, f"x = input(float32{shape})\nk = const(float32[8,4])\ny = BatchMatMulV2(x, k)\nreturn y", reason
    )


def test_declines_an_unknown_rank():
    source = "x = input(float32)\nk = const(float32[8,4])\ny = BatchMatMulV2(x, k)\nreturn y"
    assert_declines(NAME, source, "the rank is not known")


def test_declines_an_unknown_width():
    source = "x = input(float32[?,6,8])\nk = input(float32[8,?])\ny = BatchMatMulV2(x, k)\nreturn y"
    assert_declines(NAME, source, "the kernel's shape is not known")


@pytest.mark.parametrize("dtype", ["int32", "complex64"])
def test_declines_other_numbers(dtype):
    source = f"x = input({dtype}[?,6,8])\nk = input({dtype}[8,4])\ny = BatchMatMulV2(x, k)\nreturn y"
    assert_declines(NAME, source, "no floats of one dtype")


def test_declines_a_sum_in_another_dtype():
    source = "x = input(bfloat16[?,6,8])\nk = input(bfloat16[8,4])\ny = BatchMatMulV3(x, k, Tout=float32)\nreturn y"
    assert_declines(NAME, source, "no floats of one dtype")


@pytest.mark.parametrize("kernel", ["[?,8,4]", "[1,8,4]", ""])
def test_ignores_a_batch_of_kernels(kernel):
    source = f"x = input(float32[?,6,8])\nk = input(float32{kernel})\ny = BatchMatMulV2(x, k)\nreturn y"
    assert_ignores(NAME, source)


def test_a_transposed_kernel():
    assert_rewrites(
        NAME,
        "x = input(float32[2,6,8])\nk = const(float32[4,8])\ny = BatchMatMulV2(x, k, adj_y=true)\nreturn y",
        "x = input(float32[2,6,8])\nr = const(int32, [12, 8])\nf = Reshape(x, r)\nk = const(float32[4,8])\n"
        "p = MatMul(f, k, transpose_b=true)\ns = const(int32, [2, 6, 4])\ny = Reshape(p, s)\nreturn y",
    )


def test_a_matrix_needs_no_reshape():
    assert_rewrites(
        NAME,
        "x = input(float32[?,8])\nk = const(float32[8,4])\ny = BatchMatMulV2(x, k)\nreturn y",
        "x = input(float32[?,8])\nk = const(float32[8,4])\ny = MatMul(x, k)\nreturn y",
    )


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_other_floats(dtype):
    assert_rewrites(
        NAME,
        f"x = input({dtype}[3,?,2,8])\nk = input({dtype}[8,4])\ny = BatchMatMulV2(x, k)\nreturn y",
        f"x = input({dtype}[3,?,2,8])\nr = const(int32, [-1, 8])\nf = Reshape(x, r)\nk = input({dtype}[8,4])\n"
        "p = MatMul(f, k)\ns = const(int32, [3, -1, 2, 4])\ny = Reshape(p, s)\nreturn y",
    )


def test_an_empty_batch_stays_empty():
    graph = parse("x = input(float32[?,6,8])\nk = const(float32[8,4])\ny = BatchMatMulV2(x, k)\nreturn y")
    apply(graph, NAME)
    assert run(graph, {"x:0": np.zeros((0, 6, 8), np.float32)})["y:0"].shape == (0, 6, 4)
