"""What move_bias_add_before_reshape declines and does not match."""

from tests.harness import assert_declines, assert_ignores

NAME = "move_bias_add_before_reshape"
PRODUCT = "x = input(float32[?,8])\nk = const(float32[8,4])\np = MatMul(x, k)\n"


def test_declines_another_last_dimension():
    source = (
        PRODUCT + "s = const(int32, [-1, 2])\nr = Reshape(p, s)\nb = const(float32[2])\ny = BiasAdd(r, b)\nreturn y"
    )
    assert_declines(NAME, source, "changes the last dimension")


def test_declines_a_computed_target():
    source = PRODUCT + "s = input(int32[3])\nr = Reshape(p, s)\nb = const(float32[4])\ny = BiasAdd(r, b)\nreturn y"
    assert_declines(NAME, source, "target is computed")


def test_declines_a_bias_along_another_dimension():
    source = (
        PRODUCT + "s = const(int32, [-1, 4, 2, 4])\nr = Reshape(p, s)\nb = const(float32[4])\n"
        "y = BiasAdd(r, b, data_format=NCHW)\nreturn y"
    )
    assert_declines(NAME, source, "along another dimension")


def test_declines_a_kernel_of_unknown_shape():
    source = PRODUCT.replace("const(float32[8,4])", "input(float32[8,?])") + "s = const(int32, [-1, 3, 4])\n"
    source += "r = Reshape(p, s)\nb = const(float32[4])\ny = BiasAdd(r, b)\nreturn y"
    assert_declines(NAME, source, "the Reshape changes the last dimension")


def test_declines_a_width_that_is_inferred():
    source = (
        PRODUCT + "s = const(int32, [3, -1])\nr = Reshape(p, s)\nb = const(float32[4])\ny = BiasAdd(r, b)\nreturn y"
    )
    assert_declines(NAME, source, "the Reshape changes the last dimension")


def test_ignores_what_is_not_a_product():
    source = "x = input(float32[6,4])\ns = const(int32, [2,3,4])\nr = Reshape(x, s)\nb = const(float32[4])\n"
    assert_ignores(NAME, source + "y = BiasAdd(r, b)\nreturn y")


def test_ignores_a_bias_that_is_already_before():
    source = (
        PRODUCT + "b = const(float32[4])\na = BiasAdd(p, b)\ns = const(int32, [-1, 3, 4])\ny = Reshape(a, s)\nreturn y"
    )
    assert_ignores(NAME, source)


def test_ignores_a_reshape_with_another_reader():
    source = PRODUCT + "s = const(int32, [-1, 3, 4])\nr = Reshape(p, s)\nb = const(float32[4])\ny = BiasAdd(r, b)\n"
    assert_ignores(NAME, source + "z = Neg(r)\nreturn y, z")
