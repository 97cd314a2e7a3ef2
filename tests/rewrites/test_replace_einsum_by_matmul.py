"""What replace_einsum_by_matmul declines and does not match, and its other forms."""

import pytest

from tests.harness import assert_declines, assert_ignores, assert_rewrites

NAME = "replace_einsum_by_matmul"


def _source(equation, kernel="[8,3,2]", x="[?,6,8]", dtype="float32"):
    return f'x = input({dtype}{x})\nk = const({dtype}{kernel})\ny = Einsum(x, k, equation="{equation}")\nreturn y'


@pytest.mark.parametrize(
    ("equation", "kernel", "x"),
    [
        ("btd,nh->btnhd", "[3,2]", "[?,6,8]"),  # nothing is summed up
        ("btd,dnh->tbnh", "[8,3,2]", "[?,6,8]"),  # rows change their places
        ("bdt,dnh->btnh", "[8,3,2]", "[?,8,6]"),  # the summed index is not the last
        ("btd,dnh->nhbt", "[8,3,2]", "[?,6,8]"),  # the kernel's indices come first
        ("btd,tdn->btn", "[6,8,2]", "[?,6,8]"),  # t is in all three
        ("btd,dn->bn", "[8,2]", "[?,6,8]"),  # t is summed up, but not in the kernel
        ("btd,dnh->btn", "[8,3,2]", "[?,6,8]"),  # h is summed up in the kernel alone
        ("btd,d->bt", "[8]", "[?,6,8]"),  # a vector
        ("...d,dn->...n", "[8,2]", "[?,6,8]"),
        ("bdd,dn->bn", "[8,2]", "[?,8,8]"),
        ("d,dn->n", "[8,2]", "[8]"),
    ],
)
def test_declines_what_is_no_dense_layer(equation, kernel, x):
    assert_declines(NAME, _source(equation, kernel, x), "not a product")


def test_declines_two_unknown_dimensions():
    assert_declines(NAME, _source("btd,dnh->btnh", x="[?,?,8]"), "more than one dimension is unknown")


def test_declines_integers():
    assert_declines(NAME, _source("btd,dnh->btnh", dtype="int32"), "it computes in int32")


def test_declines_attention():
    source = 'q = input(float32[?,6,3,2])\nk = input(float32[?,6,3,2])\ny = Einsum(q, k, equation="btnh,bsnh->bnts")\n'
    assert_declines(NAME, source + "return y", "neither operand is constant")


def test_ignores_one_operand():
    assert_ignores(NAME, 'x = input(float32[?,6])\ny = Einsum(x, equation="ab->ba")\nreturn y')


def test_the_kernel_may_come_first_and_in_any_order():
    source = 'x = input(float32[?,6,8])\nk = const(float32[3,8])\ny = Einsum(k, x, equation="nd,btd->btn")\nreturn y'
    after = "x = input(float32[?,6,8])\nr = const(int32, [-1, 8])\nf = Reshape(x, r)\nk = const(float32[8,3])\n"
    assert_rewrites(NAME, source, after + "p = MatMul(f, k)\ns = const(int32, [-1, 6, 3])\ny = Reshape(p, s)\nreturn y")
