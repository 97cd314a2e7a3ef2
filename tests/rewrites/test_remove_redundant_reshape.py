import pytest

from tests.harness import assert_declines, assert_ignores, assert_rewrites

NAME = "remove_redundant_reshape"


def reshape(x: str, shape: str) -> str:
    return f"x = input({x})\ns = const(int32, {shape})\nr = Reshape(x, s)\ny = Relu(r)\nreturn y"


def test_ignores_another_rank():
    assert_ignores(NAME, reshape("float32[?,8]", "[-1]"))


@pytest.mark.parametrize(
    ("x", "shape", "reason"),
    [
        ("float32[?,8]", "[-1, 4]", "may change the shape"),
        ("float32[2,8]", "[8, 2]", "may change the shape"),
        ("float32[?,8]", "[4, 8]", "may change the shape"),  # the readers would know less
        ("float32[?,?]", "[-1, 8]", "may change the shape"),
        ("float32[?,0]", "[-1, 0]", "may change the shape"),  # -1 has no meaning: the call fails
        ("float32[*]", "[-1]", "not known"),
    ],
)
def test_declines(x, shape, reason):
    assert_declines(NAME, reshape(x, shape), reason)


@pytest.mark.parametrize(
    ("x", "shape"), [("float32[?,8]", "[-1, 8]"), ("float32[2,8]", "[2, 8]"), ("float32[5]", "[-1]")]
)
def test_fires(x, shape):
    assert_rewrites(NAME, reshape(x, shape), f"x = input({x})\ny = Relu(x)\nreturn y")


def test_fires_on_its_own_shape():
    assert_rewrites(
        NAME,
        "x = input(float32[?,?])\ns = Shape(x)\nr = Reshape(x, s)\ny = Relu(r)\nreturn y",
        "x = input(float32[?,?])\ny = Relu(x)\nreturn y",
    )


def test_merge_reshapes_leaves_the_inner_one_to_others():
    assert_rewrites(
        "merge_reshapes",
        """
        x = input(float32[?,8])
        axis = const(int32, 1)
        s = const(int32, [-1, 4])
        inner = ExpandDims(x, axis)
        y = Reshape(inner, s)
        return y, inner
        """,
        """
        x = input(float32[?,8])
        axis = const(int32, 1)
        s = const(int32, [-1, 4])
        inner = ExpandDims(x, axis)
        y = Reshape(x, s)
        return y, inner
        """,
    )
