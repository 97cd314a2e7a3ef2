import pytest

from tests.harness import apply, assert_declines, assert_ignores, assert_rewrites, parse

STRIDED, SLICE = "remove_stack_before_strided_slice", "remove_stack_before_slice"
GATHER, UNSTACK = "remove_stack_before_gather", "remove_stack_before_unstack"


def stack(part: str, axis: int = 1, dims: str = "[?,4]", out: str = "y") -> str:
    inputs = f"a = input(float32{dims})\nb = input(float32{dims})\nc = input(float32{dims})"
    return f"{inputs}\np = Pack(a, b, c, axis={axis})\n{part}\ny = Neg(s)\nreturn {out}"


def strided(begin="[0, 1]", end="[0, 2]", step="[1, 1]", masks="begin_mask=1, end_mask=1, shrink_axis_mask=2") -> str:
    consts = f"i = const(int32, {begin})\nj = const(int32, {end})\nk = const(int32, {step})"
    return f"{consts}\ns = StridedSlice(p, i, j, k, {masks})"


def slice_(begin="[0, 1, 0]", size="[-1, 1, -1]") -> str:
    return f"i = const(int32, {begin})\nn = const(int32, {size})\ns = Slice(p, i, n)"


def taken(name: str, prefix: str = "") -> str:
    return f"{name} = input(float32[?,4])\n{prefix}y = Neg({'s' if prefix else name})\nreturn y"


@pytest.mark.parametrize(
    ("axis", "part", "which"),
    [
        (1, strided(), "b"),
        (1, strided("[0, 0]", "[0, 1]"), "a"),
        (1, strided("[0, -1]", "[0, 0]"), "c"),
        (-1, strided("[0, 0, 2]", "[0, 0, 3]", "[1, 1, 1]", "begin_mask=3, end_mask=3, shrink_axis_mask=4"), "c"),
        (0, strided("[1]", "[2]", "[1]", "shrink_axis_mask=1"), "b"),
    ],
)
def test_takes_the_value(axis, part, which):
    assert_rewrites(STRIDED, stack(part, axis), taken(which))


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        (strided(masks="begin_mask=1, end_mask=1"), "keeps or drops another"),
        (strided(masks="begin_mask=2, end_mask=2, shrink_axis_mask=1"), "keeps or drops another"),
        (strided(masks="begin_mask=1, end_mask=1, shrink_axis_mask=3"), "keeps or drops another"),
        (strided(masks="begin_mask=1, end_mask=1, new_axis_mask=1, shrink_axis_mask=2"), "adds dimensions"),
        (strided(masks="ellipsis_mask=1, shrink_axis_mask=2"), "adds dimensions"),
        (strided(masks="shrink_axis_mask=2"), "a part of the value"),
        (strided(step="[2, 1]"), "a part of the value"),
        (strided("[0, 3]", "[0, 4]"), "out of range"),
        (strided("[0, -4]", "[0, -3]"), "out of range"),
    ],
)
def test_strided_slice_declines(part, reason):
    assert_declines(STRIDED, stack(part), reason)


def test_negative_axes_of_unknown_rank():
    for name, part in ((STRIDED, strided()), (SLICE, slice_()), (GATHER, gather())):
        assert_declines(name, stack(part, -1, "[*]"), "rank that the axis counts from")


@pytest.mark.parametrize(("size", "dims"), [("[-1, 1, -1]", "[?,4]"), ("[2, 1, 4]", "[2,4]"), ("[-1, 1, 4]", "[?,4]")])
def test_slice_of_one(size, dims):
    after = f"b = input(float32{dims})\naxis = const(int32, 1)\ns = ExpandDims(b, axis)\ny = Neg(s)\nreturn y"
    assert_rewrites(SLICE, stack(slice_(size=size), dims=dims), after)


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        (slice_(size="[-1, 2, -1]"), "more than one"),
        (slice_(size="[-1, -1, -1]"), "more than one"),
        (slice_(size="[-1, 1, 3]"), "a part of the value"),
        (slice_(size="[2, 1, -1]"), "a part of the value"),
        (slice_(begin="[1, 1, 0]"), "a part of the value"),
        (slice_(begin="[0, 3, 0]"), "out of range"),
        (slice_(begin="[0, -1, 0]"), "out of range"),
    ],
)
def test_slice_declines(part, reason):
    assert_declines(SLICE, stack(part), reason)


def gather(index: str = "2", axis: str = "1", more: str = "") -> str:
    return f"i = const(int32, {index})\nx = const(int32, {axis})\ns = GatherV2(p, i, x{more})"


def test_gather_takes_the_value():
    assert_rewrites(GATHER, stack(gather()), taken("c"))


@pytest.mark.parametrize(
    ("part", "reason"),
    [(gather("-1"), "out of range"), (gather("3"), "out of range"), (gather(axis="0"), "another axis")],
)
def test_gather_declines(part, reason):
    assert_declines(GATHER, stack(part), reason)


def test_gather_ignores_several_indices():
    assert_ignores(GATHER, stack(gather("[1]")))
    assert_ignores(GATHER, stack(gather("[[0], [1]]")))


@pytest.mark.parametrize(("axis", "out", "reason"), [(0, "y", "axes"), (1, "y, t", "another output")])
def test_unstack_declines(axis, out, reason):
    dims = "[3,3]"
    part = f"s, t, u = Unpack(p, num=3, axis={axis})"
    assert_declines(
        UNSTACK, stack(part, 1, dims, out.replace("t", "z")).replace("y = Neg", "z = Abs(t)\ny = Neg"), reason
    )


def test_a_stack_that_others_read_stays():
    graph = parse(stack(strided(), out="p, y"))
    assert apply(graph, STRIDED)[STRIDED].applied == 1
    assert "Pack" in {n.op for n in graph}


def test_values_whose_computation_has_an_effect_stay():
    text = stack(strided()).replace("c = input(float32[?,4])", "d = input(float32[?,4])\nc = PrintV2Like(d)")
    text = text.replace("PrintV2Like(d)", "EagerPyFunc(d, token=f, Tout=[float32])")
    assert_declines(STRIDED, text, "has an effect")
