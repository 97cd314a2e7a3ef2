"""fold_constants: what the Graph Transform Tool's own tests ask for, and where it fell short."""

import numpy as np
import pytest

from tests.compat.helpers import (
    assert_answers,
    assert_close,
    build,
    called,
    feeds_for,
    names,
    node,
    ops,
    run,
    transform,
    written,
)
from tfpare.errors import UnsupportedModel, UsageError

SUM = """
a = const(float32[3])
b = const(float32[3])
add = AddV2(a, b)
x = input(float32[3])
output = Mul(add, x)
return output
"""


def folded(graph_def, outputs, inputs=("x",), arguments=""):
    return transform(graph_def, inputs, outputs, f"fold_constants{arguments}")


@pytest.mark.parametrize(("inputs", "outputs"), [(["x"], ["output"]), (["x:0"], ["output:0"])])
def test_a_sum_of_constants(inputs, outputs):
    before = written(SUM)
    after = folded(before, outputs, inputs)
    assert ops(after) == {"Placeholder": 1, "Const": 1, "Mul": 1}
    assert_answers(before, after, feeds_for(before), "output")


@pytest.mark.parametrize(
    "arguments", ["(exclude_op=AddV2)", "(exclude_node=add)", "(exclude_op=Neg, exclude_node=add)"]
)
def test_excluded_nodes_stay(arguments):
    after = folded(written(SUM), ["output"], arguments=arguments)
    assert sorted(names(after)) == ["a", "add", "b", "output", "x"]


def test_excluded_identities_stay():
    before = written("x = input(float32[3])\na = Identity(x)\nb = Identity(a)\noutput = Relu(b)\nreturn output")
    assert sorted(names(folded(before, ["output"], arguments="(exclude_node=a)"))) == ["a", "output", "x"]


def test_results_larger_than_the_limit_are_not_made():
    before = written(SUM)
    assert sorted(names(folded(before, ["output"], arguments="(max_constant_size_in_bytes=10)"))) == sorted(
        names(before)
    )
    assert len(folded(before, ["output"], arguments="(max_constant_size_in_bytes=12)").node) == 3


def test_shapes_are_constants():
    before = written(
        "c = const(float32[1,1,3])\ns = Shape(c)\nf = Cast(s, DstT=float32)\nx = input(float32[3])\n"
        "output = Mul(f, x)\nreturn output"
    )
    after = folded(before, ["output"])
    assert ops(after) == {"Placeholder": 1, "Const": 1, "Mul": 1}
    assert_answers(before, after, feeds_for(before), "output")


def declared(shape, source):
    graph_def = written(source)
    dims = node(graph_def, "y").attr["_output_shapes"].list.shape.add()
    for size in shape:
        dims.dim.add(size=size)
    return graph_def


def test_declared_shapes_count_where_they_are_kept():
    source = "y = input(float32[*])\ns = Shape(y)\nf = Cast(s, DstT=float32)\noutput = Neg(f)\nreturn output"
    before = declared([1, 1, 3], source)
    kept = folded(before, ["output"], ["y"], "(clear_output_shapes=false)")
    assert ops(kept) == {"Const": 1, "Placeholder": 1}
    assert run(kept, {}, "output")[0].tolist() == [-1, -1, -3]
    assert "Shape" in ops(folded(before, ["output"], ["y"]))


def test_declared_shapes_that_are_wrong():
    source = "x = input(float32[2])\ny = Neg(x)\ns = Shape(y)\noutput = Neg(s)\nreturn output"
    before = declared([777], source)
    with pytest.raises(UnsupportedModel, match=r"'y' declares the shape \[777\]"):
        folded(before, ["output"], arguments="(clear_output_shapes=false)")
    assert run(folded(before, ["output"]), {}, "output")[0].tolist() == [-2]


def test_what_no_output_needs_goes_and_inputs_stay():
    before = written(SUM.replace("return", "dangling = const(float32)\nz = input(float32)\nreturn"))
    assert sorted(names(folded(before, ["output"], ["x", "z"]))) == ["add", "output", "x", "z"]


def test_inputs_whose_names_begin_alike():
    before = written(
        "placeholder = input(float32[3])\nplaceholder_1 = input(float32[3])\na = const(float32[3])\nb = Neg(a)\n"
        "c = Mul(b, placeholder)\noutput = AddV2(c, placeholder_1)\nreturn output"
    )
    after = folded(before, ["output"], ["placeholder", "placeholder_1"])
    assert len(after.node) == 5
    assert_answers(before, after, feeds_for(before), "output")


def test_sends_and_receives_of_the_user_stay():
    attrs = 'tensor_name="t", send_device="/cpu:0", send_device_incarnation=1, recv_device="/cpu:0"'
    before = written(
        f"a = _HostRecv(tensor_type=float32, {attrs})\nx = input(float32)\noutput = Mul(a, x)\nreturn output"
    )
    assert ops(folded(before, ["output"]))["_HostRecv"] == 1


def test_outputs_are_needed():
    with pytest.raises(UsageError, match="needs outputs"):
        folded(written(SUM), [])


# -- where the original fell short ------------------------------------------------------------------------------------


def test_a_constant_output_is_one_node_of_its_name():
    before = written(
        "x = input(float32[3])\na = const(float32[3])\nalways = Neg(a)\noutput = Mul(always, x)\nreturn output"
    )
    after = folded(before, ["output", "always"])
    assert sorted(names(after)) == ["always", "output", "x"]
    assert_answers(before, after, feeds_for(before), "output", "always")


def test_a_graph_that_is_constant_as_a_whole():
    before = written("a = const(float32[3])\nb = const(float32[3])\nalways = AddV2(a, b)\nreturn always")
    after = folded(before, ["always"], [])
    assert names(after) == ["always"]
    assert_answers(before, after, {}, "always")


def test_inputs_in_the_middle_of_the_graph():
    before = written(
        "a = const(float32[3])\nx = input(float32[3])\nmiddle = Mul(a, x)\nb = const(float32[3])\nc = Neg(b)\n"
        "output = AddV2(middle, c)\nreturn output"
    )
    after = folded(before, ["output"], ["middle"])
    assert "Neg" not in ops(after)
    feeds = {"middle": np.array([1, 2, 3], np.float32)}
    assert_answers(before, after, feeds, "output")
    assert_answers(before, after, feeds_for(before), "output")


def test_a_fed_constant_is_no_constant():
    before = written("a = const(float32[3])\noutput = Neg(a)\nreturn output")
    after = folded(before, ["output"], ["a"])
    assert_answers(before, after, {"a": np.array([1, 2, 3], np.float32)}, "output")


def with_default(v1):
    x = v1.placeholder("float32", [2], name="x")
    flag = v1.placeholder_with_default(v1.constant([2.0, 3.0]), [2], name="flag")
    v1.multiply(x, flag * 2.0, name="output")


def test_a_default_that_is_an_input_becomes_a_placeholder():
    before = build(with_default)
    after = folded(before, ["output"], ["x", "flag"])
    assert node(after, "flag").op == "Placeholder"
    feeds = {"x": np.ones(2, np.float32), "flag": np.full(2, 7, np.float32)}
    assert_answers(before, after, feeds, "output")


def test_a_default_that_is_no_input_is_constant():
    before = build(with_default)
    after = folded(before, ["output"], ["x"])
    assert ops(after) == {"Placeholder": 1, "Const": 1, "Mul": 1}
    assert_answers(before, after, {"x": np.ones(2, np.float32)}, "output")


def test_conditionals_with_a_constant_predicate():
    def make(v1):
        v1.disable_control_flow_v2()
        x = v1.placeholder("float32", [2], name="x")
        training = v1.placeholder_with_default(False, [], name="training")
        y = v1.cond(v1.logical_not(training), lambda: v1.tanh(x), lambda: v1.exp(x))
        v1.add(y, 1.0, name="output")

    before = build(make)
    after = folded(before, ["output"])
    assert sorted(ops(after)) == ["AddV2", "Const", "Placeholder", "Tanh"]
    assert_answers(before, after, feeds_for(before), "output")


def test_functional_conditionals_with_a_constant_predicate():
    def make(v1):
        import tensorflow as tf

        @tf.function(input_signature=[tf.TensorSpec([4])])
        def body(x):
            return tf.nn.tanh(x)

        x = v1.placeholder("float32", [4], name="x")
        taken, other = body.get_concrete_function(), tf.function(lambda x: x * 2.0).get_concrete_function(x)
        y = tf.raw_ops.StatelessIf(
            cond=tf.constant(True), input=[x], Tout=[tf.float32], then_branch=taken, else_branch=other
        )
        v1.identity(y[0], name="output")

    before = build(make)
    after = folded(before, ["output"])
    assert "StatelessIf" not in ops(after)
    assert not after.library.function
    assert_answers(before, after, feeds_for(before), "output")


def test_identities_and_neutral_arithmetic():
    before = written(
        "x = input(float32[2,3])\nzero = const(float32, 0)\none = const(float32, [1, 1, 1])\n"
        "a = AddV2(x, zero)\nb = Mul(one, a)\nc = Sub(b, zero)\nd = RealDiv(c, one)\n"
        "e = Identity(d)\nf = StopGradient(e)\noutput = Tanh(f)\nreturn output"
    )
    after = folded(before, ["output"])
    assert ops(after) == {"Placeholder": 1, "Tanh": 1}
    assert_answers(before, after, feeds_for(before), "output")


def test_neutral_constants_that_enlarge_stay():
    before = written(
        "x = input(float32[1,3])\none = const(float32, [[1,1,1],[1,1,1]])\noutput = Mul(x, one)\nreturn output"
    )
    after = folded(before, ["output"])
    assert_answers(before, after, feeds_for(before), "output")


def test_shapes_that_are_known_in_part():
    def make(v1):
        x = v1.placeholder("float32", [None, 4, 3], name="x")
        shape = v1.shape(x)
        v1.reshape(x, v1.stack([shape[0], shape[1] * shape[2]]), name="output")

    before = build(make)
    after = folded(before, ["output"])
    assert ops(after) == {"Placeholder": 1, "Const": 1, "Reshape": 1}
    assert_answers(before, after, feeds_for(before), "output")


def test_repeated_values_do_not_inflate_the_file():
    before = written(
        "n = const(int32, [100,100])\nv = const(float32, 2)\nf = Fill(n, v)\nx = input(float32[100,100])\n"
        "output = Mul(f, x)\nreturn output"
    )
    after = folded(before, ["output"])
    assert after.ByteSize() < 2000
    assert_answers(before, after, feeds_for(before), "output")


def test_what_tiles_a_constant_does_not_inflate_the_file():
    before = written(
        "v = const(float32[1,64])\nn = const(int32, [200,1])\nt = Tile(v, n)\nx = input(float32[200,64])\n"
        "output = Mul(t, x)\nreturn output"
    )
    after = folded(before, ["output"])
    assert after.ByteSize() < 2 * before.ByteSize()
    assert_answers(before, after, feeds_for(before), "output")


def test_functions_are_folded_inside():
    import tensorflow as tf

    before = build(lambda v1: called(v1, lambda x: x * tf.exp(tf.constant([1.0, 2.0, 3.0, 4.0]))))
    after = folded(before, ["output"])
    inside = [n.op for f in after.library.function for n in f.node_def]
    assert "Exp" not in inside
    assert "Exp" not in ops(after)
    assert_close(before, after, feeds_for(before), "output")


def test_functions_that_nobody_calls_go():
    def make(v1):
        import tensorflow as tf

        called(v1)
        tf.function(lambda x: x + 1.0).get_concrete_function(tf.TensorSpec([4])).add_to_graph()

    before = build(make)
    assert len(before.library.function) == 2
    assert len(folded(before, ["output"]).library.function) <= 1


def test_the_version_is_kept():
    before = written(SUM)
    assert folded(before, ["output"]).versions.producer == before.versions.producer


def test_unknown_ops_are_not_in_the_way():
    before = written(SUM)
    custom = before.node.add(name="custom", op="SomeoneElsesOp", input=["output"])
    custom.attr["T"].type = 1
    before.node.add(name="last", op="Neg", input=["custom"]).attr["T"].type = 1
    after = folded(before, ["last"])
    assert ops(after) == {"Placeholder": 1, "Const": 1, "Mul": 1, "SomeoneElsesOp": 1, "Neg": 1}


def test_random_numbers_and_files_are_left_alone():
    before = written(
        'n = const(int32, [2])\nr = RandomUniform(n, dtype=float32)\nname = const(string, "/etc/hostname")\n'
        "text = ReadFile(name)\nreturn r, text"
    )
    assert {"RandomUniform", "ReadFile"} <= set(ops(folded(before, ["r", "text"], [])))


def test_waiting_is_kept():
    def make(v1):
        x = v1.placeholder("float32", [2], name="x")
        with v1.control_dependencies([v1.raw_ops.Assert(condition=v1.reduce_all(x > 0), data=[x])]):
            y = v1.constant([1.0, 2.0]) + 1.0
        v1.multiply(y, x, name="output")

    before = build(make)
    after = folded(before, ["output"])
    assert ops(after)["Assert"] == 1
    feeds = {"x": np.array([1, 2], np.float32)}
    assert_answers(before, after, feeds, "output")
    with pytest.raises(Exception, match="assertion failed"):
        run(after, {"x": -feeds["x"]}, "output")


def test_pieces_of_a_constant_that_is_split():
    before = written(
        "c = const(float32[6])\naxis = const(int32, 0)\np, q, r = Split(axis, c, num_split=3)\nx = input(float32[2])\n"
        "m = Mul(p, x)\noutput = AddV2(m, r)\nreturn output"
    )
    after = folded(before, ["output"])
    assert "Split" not in ops(after)
    assert_answers(before, after, feeds_for(before), "output")


def test_strings():
    before = written(
        'a = const(string, ["ab", "c"])\nb = const(string, "d")\nc = Add(a, b)\nd = StringLength(c)\n'
        "x = input(float32[2])\ne = Cast(d, DstT=float32)\noutput = Mul(e, x)\nreturn output"
    )
    after = folded(before, ["output"])
    assert ops(after) == {"Placeholder": 1, "Const": 1, "Mul": 1}
    assert_answers(before, after, feeds_for(before), "output")


def test_constants_in_loops_stay_there():
    def make(v1):
        v1.disable_control_flow_v2()
        x = v1.placeholder("float32", [4], name="x")

        def body(i, y):
            return i + 1, y * (v1.constant(2.0) + v1.constant(0.5))

        v1.identity(v1.while_loop(lambda i, y: i < 3, body, [0, x])[1], name="output")

    before = build(make)
    after = folded(before, ["output"])
    assert len(after.node) < len(before.node)
    assert_answers(before, after, feeds_for(before), "output")


@pytest.mark.parametrize("arguments", ["(clear_output_shapes=yes)", "(max_constant_size_in_bytes=big)", "(exclude=a)"])
def test_arguments_that_are_wrong(arguments):
    with pytest.raises(UsageError, match="fold_constants"):
        folded(written(SUM), ["output"], arguments=arguments)


def test_scripts_that_run_without_eager_execution():
    import subprocess
    import sys

    code = (
        "import tensorflow as tf; tf.compat.v1.disable_eager_execution()\n"
        "from tfpare.compat import TransformGraph\n"
        "g = tf.Graph()\n"
        "with g.as_default():\n"
        "    x = tf.compat.v1.placeholder('float32', [3], name='x')\n"
        "    tf.multiply(x, tf.exp(tf.constant([1., 2., 3.])), name='output')\n"
        "print(len(TransformGraph(g.as_graph_def(), ['x'], ['output'], ['fold_constants']).node))\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.stdout.strip() == "3", result.stderr[-500:]


def test_functions_that_are_called_by_their_names():
    """As TF 1 wrote calls: the op is the function."""
    before = build(called)
    call = next(n for n in before.node if n.op == "PartitionedCall")
    call.op = call.attr["f"].func.name
    call.ClearField("attr")
    for f in before.library.function:
        for inner in f.node_def:
            inner.device = ""
    before.node.add(name="seven", op="Add", input=["three", "four"]).attr["T"].type = 1
    for name, value in (("three", 3.0), ("four", 4.0)):
        added = before.node.add(name=name, op="Const")
        added.attr["dtype"].type = 1
        added.attr["value"].tensor.dtype = 1
        added.attr["value"].tensor.float_val.append(value)
    after = folded(before, ["output", "seven"])
    assert "Add" not in ops(after)
    assert_answers(before, after, feeds_for(before), "output", "seven")


def test_branches_that_two_conditionals_share():
    def make(v1):
        import tensorflow as tf

        signature = tf.TensorSpec([2]), tf.TensorSpec([])
        then = tf.function(lambda x, c: x * c).get_concrete_function(*signature)
        other = tf.function(lambda x, c: x + c).get_concrete_function(*signature)
        x, p = v1.placeholder("float32", [2], name="x"), v1.placeholder("bool", [], name="p")
        for k in (2, 3):
            inputs = [x, tf.constant(float(k))]
            y = tf.raw_ops.StatelessIf(cond=p, input=inputs, Tout=[tf.float32], then_branch=then, else_branch=other)
            v1.identity(y[0], name=f"output{k}")

    before = build(make)
    after = folded(before, ["output2", "output3"], ["x", "p"])
    for p in (True, False):
        assert_answers(before, after, {"x": np.ones(2, np.float32), "p": p}, "output2", "output3")
