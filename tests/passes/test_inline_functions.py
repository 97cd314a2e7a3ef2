"""What a call waits for, its function's nodes wait for."""

import pytest

from tests.compat.helpers import build, called, ops
from tfpare.compat.work import Work


@pytest.mark.parametrize("body", [lambda x: -x, lambda x: x])
def test_outputs_wait_for_what_the_call_waited_for(body):
    def make(v1):
        called(v1, body)
        x = v1.get_default_graph().get_tensor_by_name("x:0")
        v1.raw_ops.Assert(condition=v1.reduce_all(x < 100.0), data=["too large"], name="check")

    graph_def = build(make)
    next(n for n in graph_def.node if "Call" in n.op).input.append("^check")
    work = Work.from_graph_def(graph_def, ["x"], ["output"])
    work.simplify(["inline_functions", "prune_controls"], ["remove_identity"])
    assert "PartitionedCall" not in ops(work.proto())
    seen, stack = set(), ["output"]
    by_name = {n.name: n for n in work.proto().node}
    while stack:
        name = stack.pop()
        seen.add(name)
        stack.extend(i.removeprefix("^").partition(":")[0] for i in by_name[name].input)
    assert "check" in seen
