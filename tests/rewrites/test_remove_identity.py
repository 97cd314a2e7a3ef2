import pytest

from tests.harness import assert_declines, assert_ignores, assert_rewrites

NAME = "remove_identity"


@pytest.mark.parametrize("op", ["Identity", "StopGradient", "PreventGradient", "Snapshot"])
def test_chain_goes_whole(op):
    assert_rewrites(
        NAME,
        f"x = input(float32[2])\na = {op}(x)\nb = {op}(a)\ny = Relu(b)\nreturn y",
        "x = input(float32[2])\ny = Relu(x)\nreturn y",
    )


def test_ignores_other_ops():
    assert_ignores(NAME, "x = input(float32[2])\ny = Relu(x)\nreturn y")


def test_declines_branch_pivot():
    assert_declines(
        NAME,
        """
        p = input(bool)
        x = input(float32[2])
        f, t = Switch(x, p)
        pivot = Identity(t)
        c = const(float32[2])
        guarded = Relu(c, ^pivot)
        y = Mul(t, guarded)
        m = Merge(f, y)
        return m
        """,
        "branch of a Switch",
    )
