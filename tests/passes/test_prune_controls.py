from tests.harness import parse, run_pipeline
from tfpare.passes.base import PassOptions

STATE = """
v = VarHandleOp(dtype=float32, shape=[], shared_name=v)
one = const(float32, 1)
before = ReadVariableOp(v, dtype=float32)
copy = Identity(before)
write = AssignAddVariableOp(v, one, ^copy)
after = ReadVariableOp(v, ^write, dtype=float32)
x = input(float32[?])
y = Identity(x, ^write)
return copy, after, y
"""


def waits_for(graph, name):
    """What has to be done before a node, by op."""
    seen, stack = set(), [graph.nodes[name]]
    while stack:
        node = stack.pop()
        for source in (*node.controls, *(v.node for v in node.inputs)):
            if source not in seen:
                seen.add(source)
                stack.append(source)
    return {n.name for n in seen}


def test_reads_and_writes_keep_their_order():
    graph = run_pipeline(parse(STATE))
    assert "before" in waits_for(graph, "write")
    assert "write" in waits_for(graph, "after")


def test_whoever_fetches_an_output_runs_what_it_waits_for():
    graph = run_pipeline(parse(STATE))
    assert "write" in {c.name for c in list(graph.outputs.values())[2].node.controls}


def test_assigning_to_a_reference_is_an_effect():
    graph = run_pipeline(
        parse(
            """
            v = VariableV2(dtype=float32, shape=[])
            one = const(float32, 1)
            old = Identity(v)
            write = AssignAdd(v, one, ^old)
            x = input(float32[?])
            y = Relu(x, ^write)
            return y, old
            """
        )
    )
    assert {"old", "v", "one"} <= waits_for(graph, "write")
    assert "write" in waits_for(graph, "y")


def test_edges_from_nodes_without_effect_go():
    graph = run_pipeline(
        parse(
            """
            x = input(float32[?])
            a = Sqrt(x)
            n = NoOp(^a)
            y = Relu(x, ^n)
            return y
            """
        )
    )
    assert {n.op for n in graph} == {"Placeholder", "Relu"}


def test_constants_drive_nothing():
    graph = run_pipeline(
        parse(
            """
            x = input(float32[?])
            c = const(float32, 1)
            d = const(float32, 2)
            a = Relu(x, ^c, ^d)
            y = Neg(a, ^d)
            return y
            """
        )
    )
    assert {n.op for n in graph} == {"Placeholder", "Relu", "Neg"}


ASSERTED = """
    x = input(float32[2])
    ok = input(bool)
    check = Assert(ok, x)
    shown = Print(x, x)
    y = Relu(shown, ^check)
    z = Neg(x, ^check)
    return y, z
    """


def test_asserts_and_prints_go_when_asked():
    graph = run_pipeline(parse(ASSERTED), options=PassOptions(remove_asserts=True))
    assert sorted(n.op for n in graph) == ["Neg", "Placeholder", "Placeholder", "Relu"]
    assert not any(n.controls for n in graph)


def test_asserts_and_prints_stay_otherwise():
    assert {"Assert", "Print"} <= {n.op for n in run_pipeline(parse(ASSERTED))}


def test_who_waits_for_an_assert_that_goes_waits_for_what_it_waited_for():
    source = "x = input(float32[2])\nok = input(bool)\nv = VarHandleOp(dtype=float32, shape=[2])\n"
    source += "w = AssignVariableOp(v, x)\ncheck = Assert(ok, x, ^w)\ny = Relu(x, ^check)\nreturn y"
    graph = run_pipeline(parse(source), options=PassOptions(remove_asserts=True))
    assert "w" in waits_for(graph, "y")


def test_a_print_that_is_fetched_passes_its_input():
    source = "x = input(float32[2])\nr = Relu(x)\ns = Print(r, r)\nreturn s"
    graph = run_pipeline(parse(source), options=PassOptions(remove_asserts=True))
    assert [v.node.op for v in graph.outputs.values()] == ["Relu"]


def test_nodes_that_lead_to_no_output_go():
    graph = run_pipeline(
        parse(
            """
            x = input(float32[2])
            unread = const(float32)
            a = StopGradient(x)
            b = Identity(a)
            dead = Exp(b)
            alone = AddN(b)
            n = NoOp()
            y = Relu(alone, ^n)
            return y
            """
        )
    )
    assert sorted(n.op for n in graph) == ["Placeholder", "Relu"]


def test_an_output_that_is_an_identity_of_an_input_stays_an_output():
    graph = run_pipeline(parse("x = input(float32[2])\ni = Identity(x)\nj = Identity(i)\nreturn i, j"))
    assert {v.node.op for v in graph.outputs.values()} <= {"Identity", "Placeholder"}
    assert list(graph.outputs) == ["i:0", "j:0"]


def test_identities_that_read_references_stay():
    graph = run_pipeline(
        parse(
            """
            v = VariableV2(dtype=float32, shape=[])
            before = Identity(v)
            one = const(float32, 1)
            write = AssignAdd(v, one, ^before)
            y = Neg(before)
            return y, write
            """
        )
    )
    assert "Identity" in {n.op for n in graph}
