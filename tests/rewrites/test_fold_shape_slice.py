import pytest

from tests.harness import assert_declines, assert_ignores, assert_rewrites

NAME = "fold_shape_slice"


def sliced(begin: int, end: int, step: int = 1, masks: str = "", x: str = "?,28,32", type_: str = "int32") -> str:
    return f"""
        x = input(float32[{x}])
        b = const(int32, [{begin}])
        e = const(int32, [{end}])
        t = const(int32, [{step}])
        s = Shape(x, out_type={type_})
        y = StridedSlice(s, b, e, t{masks})
        return y
        """


def test_ignores_other_sources():
    assert_ignores(NAME, sliced(1, 2).replace("s = Shape(x, out_type=int32)", "s = Relu(x)"))


@pytest.mark.parametrize(
    "text",
    [
        sliced(0, 1),
        sliced(0, 3),
        sliced(1, 2, x="*"),
        sliced(1, 2, masks=", new_axis_mask=1"),
        sliced(1, 2, masks=", ellipsis_mask=1"),
        sliced(-3, 2),
        sliced(0, 1, masks=", shrink_axis_mask=1"),
    ],
)
def test_declines(text):
    assert_declines(NAME, text, "not static")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (sliced(1, 3), "[28, 32]"),
        (sliced(-1, 0, masks=", end_mask=1"), "[32]"),
        (sliced(0, 0, -1, masks=", begin_mask=1"), "[32, 28]"),
        (sliced(2, 3, masks=", shrink_axis_mask=1"), "32"),
        (sliced(-1, 0, masks=", shrink_axis_mask=1"), "32"),
        (sliced(1, 1), "[]"),
    ],
)
def test_fires(text, value):
    assert_rewrites(NAME, text, f"y = const(int32, {value})\nreturn y")


def test_type_stays():
    assert_rewrites(NAME, sliced(1, 3, type_="int64"), "y = const(int64, [28, 32])\nreturn y")


@pytest.mark.parametrize(("which", "value"), [("[2, 1, 2]", "[32, 28, 32]"), ("1", "28")])
def test_gather(which, value):
    source = f"""
        x = input(float32[?,28,32])
        i = const(int32, {which})
        axis = const(int32, 0)
        s = Shape(x)
        y = GatherV2(s, i, axis)
        return y
        """
    assert_rewrites(NAME, source, f"y = const(int32, {value})\nreturn y")
