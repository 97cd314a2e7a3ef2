import pytest

from tests.harness import assert_declines, assert_ignores, assert_rewrites


def slice_(x: str, begin: str, size: str) -> str:
    return f"""
        x = input(float32[{x}])
        b = const(int32, {begin})
        n = const(int32, {size})
        s = Slice(x, b, n)
        y = Relu(s)
        return y
        """


def strided(x: str, begin: str, end: str, strides: str, masks: str = "") -> str:
    return f"""
        x = input(float32[{x}])
        b = const(int32, {begin})
        e = const(int32, {end})
        t = const(int32, {strides})
        s = StridedSlice(x, b, e, t{masks})
        y = Relu(s)
        return y
        """


@pytest.mark.parametrize(
    ("x", "begin", "size"), [("4,8", "[0, 1]", "[-1, -1]"), ("4,8", "[0, 0]", "[4, 7]"), ("?,8", "[0, 0]", "[3, 8]")]
)
def test_slice_declines(x, begin, size):
    assert_declines("remove_redundant_slice", slice_(x, begin, size), "leave elements out")


def test_slice_fires_without_shape():
    assert_rewrites(
        "remove_redundant_slice", slice_("?,?", "[0, 0]", "[-1, -1]"), "x = input(float32[?,?])\ny = Relu(x)\nreturn y"
    )


@pytest.mark.parametrize("mask", ["shrink_axis_mask", "new_axis_mask"])
def test_ignores_changed_axes(mask):
    assert_ignores("remove_redundant_strided_slice", strided("1,8", "[0]", "[1]", "[1]", f", {mask}=1"))


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (strided("4,8", "[0]", "[3]", "[1]"), "leave elements out"),
        (strided("4,8", "[1]", "[4]", "[1]"), "leave elements out"),
        (strided("4,8", "[0]", "[-1]", "[1]"), "leave elements out"),
        (strided("?,8", "[0]", "[3]", "[1]"), "leave elements out"),
        (strided("4,8", "[0, 0]", "[0, 7]", "[1, 1]", ", ellipsis_mask=1"), "leave elements out"),
        (strided("4,8", "[0]", "[0]", "[-1]", ", begin_mask=1, end_mask=1"), "steps"),
        (strided("4,8", "[0]", "[0]", "[2]", ", begin_mask=1, end_mask=1"), "steps"),
    ],
)
def test_strided_slice_declines(source, reason):
    assert_declines("remove_redundant_strided_slice", source, reason)


@pytest.mark.parametrize(
    "arguments",
    [
        ("4,8", "[0]", "[4]", "[1]"),
        ("4,8", "[0]", "[100]", "[1]"),
        ("?,?", "[5, 5]", "[1, 1]", "[1, 1]", ", begin_mask=3, end_mask=3"),
        ("?,?,8", "[0, 0]", "[0, 8]", "[1, 1]", ", ellipsis_mask=1"),
        ("?,?,8", "[7]", "[7]", "[7]", ", ellipsis_mask=1"),
    ],
)
def test_strided_slice_fires(arguments):
    after = f"x = input(float32[{arguments[0]}])\ny = Relu(x)\nreturn y"
    assert_rewrites("remove_redundant_strided_slice", strided(*arguments), after)
