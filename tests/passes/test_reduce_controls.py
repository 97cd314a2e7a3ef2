import pytest

from tests.harness import parse
from tests.passes.graphs import apply_pass, assert_answers, ops

NAME = "reduce_controls"
HEAD = "x = input(float32[2])\na = Print(x, x)\n"


def controls(source: str, node: str, keep: str = "") -> list[str]:
    graph = parse(source)
    for name in keep.split():
        graph.keep[graph.nodes[name]] = None
    apply_pass(NAME, graph)
    return [c.name for c in graph.nodes[node].controls]


def test_longer_path_makes_an_edge_superfluous():
    source = f"{HEAD}b = Print(x, x, ^a)\nc = Print(x, x, ^b, ^a)\ny = Neg(c)\nreturn y"
    assert controls(source, "c") == ["b"]


def test_path_over_data():
    source = f"{HEAD}r = Relu(a)\ne = Exp(r)\ny = Neg(e, ^a)\nreturn y"
    assert controls(source, "y") == []


def test_an_input_is_waited_for_anyway():
    assert controls(f"{HEAD}y = Neg(a, ^a)\nreturn y", "y") == []


def test_chain_keeps_its_last_edges():
    lines = "".join(f"p{k} = Print(x, x, {', '.join(f'^p{j}' for j in range(k))})\n" for k in range(1, 6))
    source = f"x = input(float32[2])\np0 = Print(x, x)\n{lines}y = Neg(p5)\nreturn y"
    assert [controls(source, f"p{k}") for k in range(1, 6)] == [[f"p{k - 1}"] for k in range(1, 6)]


def test_no_path_no_change():
    assert controls(f"{HEAD}b = Print(x, x)\ny = Neg(x, ^a, ^b)\nreturn y", "y") == ["a", "b"]


def test_a_merge_says_nothing_about_its_inputs():
    source = """
        p = input(bool)
        x = input(float32[2])
        f, t = Switch(x, p)
        a = Print(f, f)
        m = Merge(a, t)
        e = Exp(m)
        y = Neg(e, ^a)
        return m
        """
    graph = parse(source)
    graph.keep[graph.nodes["y"]] = None
    apply_pass(NAME, graph)
    assert graph.nodes["y"].controls == (graph.nodes["a"],)


def test_node_that_nobody_reads_hands_on_what_it_waits_for():
    source = f"{HEAD}r = Relu(a)\ny = Neg(x, ^r)\nreturn y"
    assert controls(source, "y") == ["a"]


def test_noop_hands_on_what_it_waits_for():
    assert controls(f"{HEAD}n = NoOp(^a)\nb = Neg(x, ^n)\nc = Abs(x, ^n)\ny = Mul(b, c)\nreturn y", "b") == ["a"]


def test_noop_that_groups_many_stays():
    prints = "".join(f"p{k} = Print(x, x)\n" for k in range(3))
    readers = "".join(f"y{k} = Neg(x, ^n)\n" for k in range(3))
    source = f"x = input(float32[2])\n{prints}n = NoOp(^p0, ^p1, ^p2)\n{readers}return y0, y1, y2"
    assert controls(source, "y0") == ["n"]


def test_noop_without_inputs_goes():
    assert controls("x = input(float32[2])\nn = NoOp()\ny = Neg(x, ^n)\nreturn y", "y") == []


@pytest.mark.parametrize("how", ["kept", "pinned", "fetched", "effect"])
def test_nodes_that_are_needed_stay(how):
    op = "Print(x, x, ^a)" if how == "effect" else "Relu(a)"
    graph = parse(f"{HEAD}r = {op}\ny = Neg(x, ^r)\nreturn y")
    node = graph.nodes["r"]
    if how == "kept":
        graph.keep[node] = None
    elif how == "pinned":
        graph.pinned.add(node)
    elif how == "fetched":
        graph.outputs["r:0"] = node.out()
    apply_pass(NAME, graph)
    assert graph.nodes["y"].controls == (node,)


def test_mark_of_a_branch_stays():
    source = """
        p = input(bool)
        x = input(float32[2])
        f, t = Switch(x, p)
        mark = Identity(t)
        c = const(float32, [1, 2])
        late = Identity(c, ^mark)
        m = Merge(f, late)
        return m
        """
    graph = parse(source)
    apply_pass(NAME, graph)
    assert graph.nodes["late"].controls == (graph.nodes["mark"],)
    feeds = [{"p:0": p, "x:0": [3.0, 4.0]} for p in (True, False)]
    assert_answers(graph, parse(source), *feeds)


def test_repeated_control_inputs_are_one():
    graph = parse(f"{HEAD}y = Neg(x, ^a, ^a)\nreturn y")
    assert graph.nodes["y"].controls == (graph.nodes["a"],)
    assert ops(graph) == ["Neg", "Placeholder", "Print"]
