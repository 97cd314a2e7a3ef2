import numpy as np
import pytest

from tests.harness import apply, assert_ignores, assert_rewrites, parse, run


@pytest.mark.parametrize(("type_", "op"), [("bool", "LogicalNot"), ("int32", "Invert"), ("complex64", "Conj")])
def test_involutions(type_, op):
    if type_ == "complex64":
        graph = parse(f"x = input({type_}[2])\na = {op}(x)\nb = {op}(a)\ny = Real(b)\nreturn y")
        assert apply(graph, "remove_double_negation")["remove_double_negation"].applied == 1
        return
    assert_rewrites(
        "remove_double_negation",
        f"x = input({type_}[2])\na = {op}(x)\nb = {op}(a)\ny = ZerosLike(b)\nreturn y",
        f"x = input({type_}[2])\ny = ZerosLike(x)\nreturn y",
    )


@pytest.mark.parametrize("name", ["remove_double_negation", "remove_idempotent"])
@pytest.mark.parametrize("ops", [("Neg", "Invert"), ("Relu", "Relu6"), ("Abs", "Sign"), ("Neg", "Relu")])
def test_ignores_two_different_ops(name, ops):
    assert_ignores(name, f"x = input(int32[2])\na = {ops[0]}(x)\ny = {ops[1]}(a)\nreturn y")


@pytest.mark.parametrize("op", ["Relu", "Relu6", "Abs", "Floor", "Ceil", "Rint", "Round", "Sign"])
def test_idempotents_keep_every_bit(op):
    source = f"x = input(float32[?])\na = {op}(x)\ny = {op}(a)\nreturn y"
    graph = parse(source)
    assert apply(graph, "remove_idempotent")["remove_idempotent"].applied == 1
    special = [0.0, -0.0, np.inf, -np.inf, 1e-40, -1e-40, 0.5, 1.5, -2.5, 7.0, 3e38]
    x = np.array(special * 3, np.float32)
    assert run(parse(source), {"x:0": x})["y:0"].tobytes() == run(graph, {"x:0": x})["y:0"].tobytes()
