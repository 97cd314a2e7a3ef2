import pytest

from tests.harness import assert_declines, assert_ignores, assert_rewrites


def source(x: str, *types: str) -> str:
    lines = [f"x = input({x})"]
    for k, type_ in enumerate(types):
        lines.append(f"b{k} = Bitcast({f'b{k - 1}' if k else 'x'}, type={type_})")
    return "\n".join([*lines, f"y = ZerosLike(b{len(types) - 1})", f"return b{len(types) - 1}, y"])


def test_ignores_another_type():
    assert_ignores("remove_redundant_bitcast", source("float32[4]", "int32"))
    assert_ignores("merge_bitcasts", source("float32[4]", "int32"))


@pytest.mark.parametrize(
    ("x", "first", "second"),
    [("int64[?]", "int32", "int8"), ("int8[3,2,4]", "int32", "int64"), ("int32[2,2]", "int64", "int16"),
     ("int32[2]", "int8", "int16")],
)  # fmt: skip
def test_declines_three_sizes(x, first, second):
    assert_declines("merge_bitcasts", source(x, first, second), "another shape")


def test_declines_sizes_that_are_not_whole_bytes():
    assert_declines("merge_bitcasts", source("int8[4]", "int4", "int8"), "size of a type")


@pytest.mark.parametrize(
    ("x", "first", "second"),
    [("int32[3]", "uint32", "int8"), ("int8[3,4]", "int32", "float32"), ("int16[3]", "uint16", "float16")],
)
def test_merges(x, first, second):
    assert_rewrites("merge_bitcasts", source(x, first, second), source(x, second))
