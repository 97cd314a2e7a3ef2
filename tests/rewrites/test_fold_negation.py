import pytest

from tests.harness import assert_declines, assert_ignores, assert_rewrites

AB = "a = input(float32[3])\nb = input(float32[3])\n"


@pytest.mark.parametrize("rule", [("fold_added_negation", "AddV2"), ("fold_subtracted_negation", "Sub")])
def test_declines_second_reader(rule):
    name, op = rule
    assert_declines(name, f"{AB}n = Neg(b)\ny = {op}(a, n)\nreturn y, n", "an output")


def test_negation_on_the_left():
    assert_rewrites("fold_added_negation", f"{AB}n = Neg(b)\ny = Add(n, a)\nreturn y", f"{AB}y = Sub(a, b)\nreturn y")


def test_negation_minus_is_another_thing():
    assert_ignores("fold_subtracted_negation", f"{AB}n = Neg(b)\ny = Sub(n, a)\nreturn y")


@pytest.mark.parametrize(
    ("x", "zero", "reason"),
    [("uint8[3]", "uint8, 0", "unsigned"), ("float32[3]", "float32, [[0]]", "enlarge")],
)
def test_subtraction_from_zero_declines(x, zero, reason):
    source = f"z = const({zero})\nx = input({x})\ny = Sub(z, x)\nreturn y"
    assert_declines("fold_subtraction_from_zero", source, reason)


@pytest.mark.parametrize("line", ["y = Sub(x, z)", "y = AddV2(z, x)"])
def test_subtraction_from_zero_ignores(line):
    source = f"z = const(float32, 0)\nx = input(float32[3])\n{line}\nreturn y"
    assert_ignores("fold_subtraction_from_zero", source)
