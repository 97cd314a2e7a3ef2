import pytest

from tests.harness import parse
from tests.passes.graphs import apply_pass, ops

NAME = "prune_stacks"
HEAD = "n = const(int32, 3)\nx = input(float32[2])\ns = StackV2(n, elem_type=float32)\n"


def test_push_without_pop_goes():
    graph = parse(f"{HEAD}p = StackPushV2(s, x)\ny = Relu(p)\nreturn y")
    assert apply_pass(NAME, graph).applied == 1
    assert ops(graph) == ["Identity", "Placeholder", "Relu"]


def test_push_in_a_loop_goes():
    graph = parse(
        f"""{HEAD}
        e = Enter(s, frame_name=loop, is_constant=true)
        v = Enter(x, frame_name=loop)
        p = StackPushV2(e, v, swap_memory=true)
        y = Exit(p)
        return y
        """
    )
    assert apply_pass(NAME, graph).applied == 1
    assert ops(graph) == ["Enter", "Exit", "Identity", "Placeholder"]


def test_what_waits_for_the_push_still_waits_for_its_inputs():
    graph = parse(f"{HEAD}e = Print(x, x)\np = StackPushV2(s, x, ^e)\ny = Relu(x, ^p)\nreturn y")
    graph.keep[graph.nodes["p"]] = None
    apply_pass(NAME, graph)
    (waits,) = graph.nodes["y"].controls
    assert waits.op == "Identity"
    assert waits.controls == (graph.nodes["e"],)


@pytest.mark.parametrize(
    "more",
    [
        "q = StackPopV2(s, elem_type=float32, ^p)",
        "i = Identity(s)\nq = StackPopV2(i, elem_type=float32, ^p)",
        "e = Enter(s, frame_name=back, is_constant=true)\nq = StackPopV2(e, elem_type=float32)",
        "q = Pack(s)",
    ],
)
def test_a_stack_that_is_used_stays(more):
    graph = parse(f"{HEAD}p = StackPushV2(s, x)\ny = Relu(p)\n{more}\nreturn y, q")
    result = apply_pass(NAME, graph)
    assert result.applied == 0
    assert "the stack is used" in result.declined


@pytest.mark.parametrize("how", ["fetched", "pinned", "kept", "fed", "fed push"])
def test_a_stack_that_callers_use_stays(how):
    graph = parse(f"{HEAD}p = StackPushV2(s, x)\ny = Relu(p)\nreturn y")
    stack = graph.nodes["s"]
    if how == "fetched":
        graph.outputs["s:0"] = stack.out()
    elif how == "pinned":
        graph.pinned.add(stack)
    elif how == "kept":
        graph.keep[stack] = None
    else:
        graph.fed.add(stack.out() if how == "fed" else graph.nodes["p"].out())
    assert apply_pass(NAME, graph).applied == 0
