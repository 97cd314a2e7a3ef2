import pytest

from tests.harness import apply, assert_declines, assert_ignores, assert_rewrites, canonical, parse

NAME, NESTED = "merge_concat_constants", "merge_concats"
HEAD = "axis = const(int32, -1)\nx = input(int32[1,2])\nc = const(int32, [[1]])\nd = const(int32, [[2, 3]])\n"


@pytest.mark.parametrize("inputs", ["x, x", "c, x", "c, x, d", "x, c, x"])
def test_ignores(inputs):
    assert_ignores(NAME, f"{HEAD}y = ConcatV2({inputs}, axis)\nreturn y")


def test_declines_computed_axis():
    assert_declines(NAME, f"a = input(int32[])\n{HEAD}y = ConcatV2(x, c, d, a)\nreturn y", "axis is not constant")


def test_ignores_fed_constant():
    graph = parse(f"{HEAD}y = ConcatV2(x, c, d, axis)\nreturn y")
    graph.fed.add(graph.nodes["d"].out())
    assert apply(graph, NAME)[NAME].applied == 0


def test_runs_apart_stay_apart():
    assert_rewrites(
        NAME,
        f"{HEAD}y = ConcatV2(c, d, x, d, c, c, axis)\nreturn y",
        "c = const(int32, [[1, 2, 3]])\nx = input(int32[1,2])\nd = const(int32, [[2, 3, 1, 1]])\n"
        "axis = const(int32, -1)\ny = ConcatV2(c, x, d, axis)\nreturn y",
    )


def test_only_constants_become_one():
    assert_rewrites(NAME, f"{HEAD}y = ConcatV2(c, d, axis)\nreturn y", "y = const(int32, [[1, 2, 3]])\nreturn y")


def nested(inner_axis: str, rest: str = "", shape: str = "?,2") -> str:
    return f"""
        axis = const(int32, 1)
        other = {inner_axis}
        x = input(float32[{shape}])
        z = input(float32[{shape}])
        inner = ConcatV2(x, z, other)
        y = ConcatV2(inner, x, axis)
        return y{rest}
        """


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (nested("const(int32, 1)", ", inner"), "another node needs"),
        (nested("const(int32, 0)", shape="2,2"), "the axes"),
        (nested("input(int32[])"), "the axes"),
        (nested("const(int32, -1)"), "the axes"),  # the rank of the inner result is not known before inference
    ],
)
def test_nested_declines(text, reason):
    assert_declines(NESTED, text, reason)


def test_inner_one_that_is_read_twice_stays():
    text = HEAD + "i = ConcatV2(x, c, axis)\ny = ConcatV2(i, i, axis)\nreturn y"
    graph = parse(text)
    apply(graph, NESTED)
    assert canonical(graph) == canonical(parse(HEAD + "y = ConcatV2(x, c, x, c, axis)\nreturn y"))


def test_a_large_constant_with_other_readers_is_not_stored_twice():
    source = """
    a = const(float32[2000])
    b = const(float32[2000])
    axis = const(int32, 0)
    c = ConcatV2(a, b, axis)
    x = input(float32[2000])
    y = Mul(a, x)
    return c, y
    """
    assert_declines("merge_concat_constants", source, "other readers")
