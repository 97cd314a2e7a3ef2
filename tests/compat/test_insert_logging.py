import numpy as np
import pytest

from tests.compat.helpers import assert_answers, build, called, cond, inputs_of, loop, node, notes, ops, transform

X = np.arange(10, dtype=np.float32)


def sums(v1):
    x = v1.placeholder("float32", [10], name="x")
    a, c = v1.constant(np.ones(10, np.float32), name="a"), v1.constant(np.ones(10, np.float32) * 2, name="c")
    both = v1.add(x, a, name="add_2") * v1.add(x, c, name="add_3")
    v1.add(v1.identity(both, name="copy"), c, name="add_4")


def printed(graph_def):
    return {n.name for n in graph_def.node if n.op == "Print"}


def logged(call, make=sums, outputs=("add_4",), inputs=("x",)):
    before = build(make)
    return before, transform(before, inputs, outputs, call)


# the original's own tests


def test_everything_that_is_read():
    before, after = logged("insert_logging")
    assert printed(after) == {f"{n}__print__" for n in ("x", "a", "c", "add_2", "add_3", "mul", "copy")}
    assert_answers(before, after, {"x": X}, "add_4")


def test_by_op():
    _, after = logged("insert_logging(op=Mul, op=AddV2)")
    assert printed(after) == {"add_2__print__", "add_3__print__", "mul__print__"}


def test_by_prefix():
    _, after = logged("insert_logging(prefix=add_)")
    assert printed(after) == {"add_2__print__", "add_3__print__"}


def test_what_is_printed(capfd):
    before, after = logged(
        'insert_logging(op=Mul, show_op=true, show_name=true, message="values are", first_n=3, summarize=5)'
    )
    one = node(after, "mul__print__")
    assert list(one.input) == ["mul:0", "mul:0"]
    assert one.attr["message"].s == b";Mul;;mul__print__;values are"
    assert (one.attr["first_n"].i, one.attr["summarize"].i) == (3, 5)
    assert inputs_of(after, "copy") == ["mul__print__"]
    assert_answers(before, after, {"x": X}, "add_4")
    assert ";Mul;;mul__print__;values are[2 6 12 20 30...]" in capfd.readouterr().err


def test_name_that_is_taken():
    def make(v1):
        sums(v1)
        v1.constant(1, name="mul__print__")

    assert printed(logged("insert_logging(op=Mul)", make)[1]) == {"mul__print___1"}


# what the original gets wrong


def halves(v1, used=(0, 1)):
    parts = v1.split(v1.placeholder("float32", [6], name="x"), 2, name="split")
    v1.subtract(*[parts[k] for k in used][:2], name="output") if len(used) > 1 else v1.negative(
        parts[used[0]], name="output"
    )


def test_several_outputs():
    before, after = logged("insert_logging(op=Split)", halves, ["output"])
    assert inputs_of(after, "split__print__") == ["split", "split", "split:1"]
    assert inputs_of(after, "output") == ["split__print__", "split:1"]
    assert_answers(before, after, {"x": X[:6]}, "output")


def test_only_the_second_output_is_read():
    before, after = logged("insert_logging(op=Split)", lambda v1: halves(v1, (1,)), ["output"])
    assert inputs_of(after, "split__print__") == ["split:1", "split:1"]
    assert inputs_of(after, "output") == ["split__print__"]
    assert_answers(before, after, {"x": X[:6]}, "output")


def test_nodes_without_outputs():
    def make(v1):
        x = v1.placeholder("float32", [4], name="x")
        with v1.control_dependencies([v1.no_op(name="nothing")]):
            v1.exp(x, name="output")

    before, after = logged("insert_logging", make, ["output"])
    assert printed(after) == {"x__print__"}
    assert_answers(before, after, {"x": X[:4]}, "output")
    assert "it has no outputs" in notes(before, ["x"], ["output"], "insert_logging")


def test_node_that_is_only_waited_for(capfd):
    def make(v1):
        x = v1.placeholder("float32", [4], name="x")
        with v1.control_dependencies([v1.sqrt(x, name="root")]):
            v1.exp(x, name="output")

    before, after = logged("insert_logging(op=Sqrt, message=roots)", make, ["output"])
    assert inputs_of(after, "output") == ["x", "^root__print__"]
    assert_answers(before, after, {"x": X[:4]}, "output")
    assert "roots[0 1 1.41" in capfd.readouterr().err


@pytest.mark.parametrize("port", ["", ":0"])
def test_output_that_alone_is_chosen(port, capfd):
    before, after = logged(
        "insert_logging(op=Exp, show_name=true)",
        lambda v1: v1.exp(v1.placeholder("float32", [4], name="x"), name="output"),
        [f"output{port}"],
    )
    assert printed(after) == {"output__print__"}
    assert_answers(before, after, {"x": X[:4]}, "output")
    assert ";output__print__;[1 2.71" in capfd.readouterr().err


def test_second_output_of_the_graph_that_alone_is_chosen():
    _, after = logged("insert_logging(op=Split)", halves, ["split:1"])
    assert ops(after)["Print"] == 1  # the subtraction reads it
    only = build(lambda v1: v1.split(v1.placeholder("float32", [6], name="x"), 2, name="split"))
    after = transform(only, ["x"], ["split:1"], "insert_logging(op=Split)")
    assert node(after, "split").op == "IdentityN"
    assert_answers(only, after, {"x": X[:6]}, "split:1")


def test_control_flow_stays():
    before = build(cond)
    after = transform(before, ["x", "p"], ["output"], "insert_logging")
    for p in (True, False):
        assert_answers(before, after, {"x": X[:4], "p": p}, "output")
    assert "belongs to a loop or branch" in notes(before, ["x", "p"], ["output"], "insert_logging")
    before = build(loop)
    after = transform(before, ["x"], ["output"], "insert_logging(op=Tanh)")
    assert ops(after)["Print"] == 1
    assert_answers(before, after, {"x": X[:4]}, "output")
    assert_answers(before, transform(before, ["x"], ["output"], "insert_logging"), {"x": X[:4]}, "output")


def test_references_and_resources():
    def make(v1):
        v = v1.raw_ops.VariableV2(shape=[], dtype="float32", name="v")
        v1.assign(v, 2.0, name="init")
        v1.identity(v, name="output")

    before = build(make)
    after = transform(before, [], ["output"], "insert_logging(op=VariableV2)")
    assert not printed(after)
    assert "reference or resource" in notes(before, [], ["output"], "insert_logging(op=VariableV2)")


def test_functions(capfd):
    import tensorflow as tf

    before = build(lambda v1: called(v1, lambda x: tf.split(tf.exp(x), 2)[1] * 2.0))
    after = transform(before, ["x"], ["output"], "insert_logging(op=Split, op=Exp, show_op=true)")
    assert sum(n.op == "Print" for f in after.library.function for n in f.node_def) == 2
    assert_answers(before, after, {"x": X[:4]}, "output")
    err = capfd.readouterr().err
    assert ";Exp;[1 2.71" in err
    assert ";Split;[7.38" in err
