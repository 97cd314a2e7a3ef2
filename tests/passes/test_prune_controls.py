from tests.harness import parse, run_pipeline

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
