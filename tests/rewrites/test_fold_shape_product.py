import pytest

from tests.harness import assert_declines, assert_ignores, assert_rewrites

NAME = "fold_shape_product"


def source(axis: str, attrs: str = "", type_: str = "int32") -> str:
    head = f"x = input(float32[?,4,?])\na = const(int32, {axis})\ns = Shape(x, out_type={type_})\n"
    return f"{head}y = Prod(s, a{attrs})\nreturn y"


def test_ignores_other_sums_and_sources():
    assert_ignores(NAME, source("[0]").replace("Prod", "Sum"))
    assert_ignores(NAME, "x = input(int32[3])\na = const(int32, [0])\ny = Prod(x, a)\nreturn y")


@pytest.mark.parametrize(("axis", "attrs"), [("[]", ""), ("[0]", ", keep_dims=true"), ("[1]", "")])
def test_declines(axis, attrs):
    assert_declines(NAME, source(axis, attrs), "vector")


@pytest.mark.parametrize("type_", ["int32", "int64"])
@pytest.mark.parametrize("axis", ["[0]", "[-1]", "0"])
def test_fires(axis, type_):
    after = f"x = input(float32[?,4,?])\ny = Size(x, out_type={type_})\nreturn y"
    assert_rewrites(NAME, source(axis, type_=type_), after)
