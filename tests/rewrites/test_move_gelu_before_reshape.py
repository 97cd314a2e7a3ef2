"""What move_gelu_before_reshape declines and does not match."""

from tests.harness import assert_declines, assert_ignores

NAME = "move_gelu_before_reshape"
DENSE = "a = input(float32[6,8])\nk = const(float32[8,4])\np = MatMul(a, k)\nb = const(float32[4])\ny = BiasAdd(p, b)\n"
RESHAPE = "s = const(int32, [2, 3, 4])\nr = Reshape(y, s)\n"
GELU = (
    "h = const(float32, 0.5)\nm = Mul(r, h)\nn = Neg(r)\nc = const(float32, 0.70710677)\nq = Mul(n, c)\ne = Erfc(q)\n"
    "z = Mul(m, e)\nreturn z"
)


def test_declines_a_factor_for_each_channel():
    assert_declines(NAME, DENSE + RESHAPE + GELU.replace("(float32, 0.5)", "(float32[4])"), "a constant is no scalar")


def test_ignores_a_gelu_without_reshape():
    assert_ignores(NAME, DENSE + "r = Relu(y)\n" + GELU)


def test_ignores_what_is_no_dense_layer():
    assert_ignores(NAME, "y = input(float32[6,4])\n" + RESHAPE + GELU)
    assert_ignores(NAME, DENSE.replace("MatMul(a, k)", "Relu(a)").replace("const(float32[4])", "const(float32[8])")
                   + RESHAPE.replace("4]", "8]") + GELU)  # fmt: skip


def test_ignores_two_different_values():
    assert_ignores(NAME, DENSE + RESHAPE + "r2 = Relu(r)\n" + GELU.replace("Neg(r)", "Neg(r2)"))
