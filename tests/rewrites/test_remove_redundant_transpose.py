from tests.harness import assert_declines, assert_ignores, assert_rewrites


def transposes(first: str, second: str) -> str:
    return f"""
        x = input(float32[2,3,4])
        p = const(int32, {first})
        q = const(int32, {second})
        a = Transpose(x, p)
        b = Transpose(a, q)
        y = Relu(b)
        return y
        """


def test_ignores_other_orders():
    assert_ignores(
        "remove_redundant_transpose", "x = input(float32[2,3])\np = const(int32, [1, 0])\ny = Transpose(x, p)\nreturn y"
    )


def test_declines_no_permutation():
    source = "x = input(float32[2,3])\np = const(int32, [0, 0])\na = Transpose(x, p)\ny = Transpose(a, p)\nreturn y"
    assert_declines("merge_transposes", source, "no permutation")


def test_three_cycle_is_not_its_own_inverse():
    assert_rewrites(
        "merge_transposes",
        transposes("[1, 2, 0]", "[1, 2, 0]"),
        "x = input(float32[2,3,4])\np = const(int32, [2, 0, 1])\nb = Transpose(x, p)\ny = Relu(b)\nreturn y",
    )


def test_inverse_goes():
    assert_rewrites(
        "merge_transposes", transposes("[1, 2, 0]", "[2, 0, 1]"), "x = input(float32[2,3,4])\ny = Relu(x)\nreturn y"
    )
