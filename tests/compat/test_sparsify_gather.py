"""sparsify_gather: constants and variables, one and several parts, what else reads them, and what does not fit."""

import numpy as np
import pytest

from tests.compat.helpers import assert_answers, build, inputs_of, names, node, notes, ops, run, transform
from tfpare.errors import UnsupportedModel

VALUES = np.array([[0.2], [1e-6], [1.2], [0.001]], np.float32)


def lookup(v1, weight="const", op="GatherV2", ids="int64", identity=True, axis=0, values=VALUES, name="w/part_1"):
    """Looks rows up in a weight: `ids` → `gather`."""
    rows = v1.placeholder(ids, [None], name="ids")
    if weight == "const":
        w = v1.constant(values, name=name)
    else:
        w = v1.raw_ops.VariableV2(shape=list(values.shape), dtype="float32", name=name)
    read = v1.identity(w, name=f"{name}/read") if identity else w
    if op == "Gather":
        return v1.raw_ops.Gather(params=read, indices=rows, name="gather")
    return v1.raw_ops.GatherV2(params=read, indices=rows, axis=v1.constant(axis, name="axis"), name="gather")


def looked_up(graph_def, ids, init="group_deps", fetch="gather"):
    """The answer after the tables were filled."""
    import tensorflow as tf

    with tf.Graph().as_default() as graph, tf.compat.v1.Session() as session:
        tf.graph_util.import_graph_def(graph_def, name="")
        session.run(graph.get_operation_by_name(init))
        return session.run(f"{fetch}:0", {"ids:0": np.array(ids)})


def const_of(graph_def, name):
    import tensorflow as tf

    return tf.make_ndarray(node(graph_def, name).attr["value"].tensor)


def assert_table(after, weight="w/part_1", gather="gather", keys=(0, 2, 3), values=(0.2, 1.2, 0.001)):
    assert const_of(after, f"{weight}/indices").tolist() == list(keys)
    np.testing.assert_allclose(const_of(after, f"{weight}/values"), values)
    assert inputs_of(after, f"{weight}/InitializeTable") == [
        f"{weight}/{n}" for n in ("HashTable", "indices", "values")
    ]
    assert inputs_of(after, f"{gather}/LookupTableFind")[0] == f"{weight}/HashTable"
    assert inputs_of(after, gather) == [f"{gather}/LookupTableFind", f"{gather}/ExpandDims/Const"]
    assert const_of(after, f"{gather}/Const") == 0.0
    assert const_of(after, f"{gather}/ExpandDims/Const") == -1


@pytest.mark.parametrize("op", ["Gather", "GatherV2"])
@pytest.mark.parametrize("ids", ["int32", "int64"])
@pytest.mark.parametrize("identity", [True, False])
def test_a_constant(op, ids, identity):
    before = build(lambda v1: lookup(v1, op=op, ids=ids, identity=identity))
    after = transform(before, ["ids"], ["gather"], "sparsify_gather")
    assert_table(after)
    assert inputs_of(after, "group_deps") == ["^w/part_1/InitializeTable"]
    assert not {"w/part_1", "w/part_1/read", "axis"} & set(names(after))
    found = looked_up(after, np.array([3, 1, 0, 2, 0], ids))
    np.testing.assert_allclose(found, VALUES[[3, 1, 0, 2, 0]], atol=1e-5)


def test_an_init_node_that_exists():
    def make(v1):
        lookup(v1)
        v1.group(v1.no_op(name="else"), name="inits")

    after = transform(build(make), ["ids"], ["gather"], "sparsify_gather(group_init_node=inits)")
    assert inputs_of(after, "inits") == ["^else", "^w/part_1/InitializeTable"]
    assert looked_up(after, [2], "inits") == np.float32(1.2)


@pytest.fixture
def checkpoint(tmp_path):
    """A checkpoint with the whole of a variable and another one."""
    import tensorflow as tf

    tensors = {"w": VALUES, "v": VALUES[::-1].copy()}
    prefix = str(tmp_path / "model")
    tf.raw_ops.SaveV2(
        prefix=prefix, tensor_names=list(tensors), shape_and_slices=["", ""], tensors=list(tensors.values())
    )
    return prefix


def restored(v1, spec="", assigned=True):
    weight = lookup(v1, "variable").op.inputs[0].op.inputs[0]
    loaded = v1.raw_ops.RestoreV2(
        prefix="model", tensor_names=["w"], shape_and_slices=[spec], dtypes=["float32"], name="save/RestoreV2"
    )
    if assigned:
        v1.raw_ops.Assign(ref=weight, value=loaded[0], name="save/Assign")
    initial = v1.zeros(weight.shape, name="w/part_1/Initializer")
    v1.group(v1.raw_ops.Assign(ref=weight, value=initial, name="w/part_1/Assign"), name="init")


@pytest.mark.parametrize("assigned", [True, False])
def test_a_variable(checkpoint, assigned):
    before = build(lambda v1: restored(v1, assigned=assigned))
    after = transform(before, ["ids"], ["gather"], f'sparsify_gather(input_checkpoint="{checkpoint}")')
    assert_table(after)
    left = set(ops(after))
    assert "RestoreV2" in left
    assert not {"VariableV2", "Assign", "Identity"} & left
    np.testing.assert_allclose(looked_up(after, [0, 3]), VALUES[[0, 3]])


def test_a_part_of_a_variable(checkpoint):
    def make(v1):
        w = v1.raw_ops.VariableV2(shape=[2, 1], dtype="float32", name="w/part_1")
        ids = v1.placeholder("int64", [None], name="ids")
        v1.raw_ops.GatherV2(params=v1.identity(w), indices=ids, axis=0, name="gather")
        v1.raw_ops.RestoreV2(prefix="m", tensor_names=["w"], shape_and_slices=["4 1 0,2:0,1"], dtypes=["float32"])

    after = transform(build(make), ["ids"], ["gather"], f'sparsify_gather(input_checkpoint="{checkpoint}")')
    assert_table(after, keys=(0,), values=(0.2,))


def test_a_variable_without_a_value(checkpoint):
    def make(v1):
        lookup(v1, "variable")

    with pytest.raises(UnsupportedModel, match="name its checkpoint"):
        transform(build(make), ["ids"], ["gather"], "sparsify_gather")
    with pytest.raises(UnsupportedModel, match="No RestoreV2"):
        transform(build(make), ["ids"], ["gather"], f'sparsify_gather(input_checkpoint="{checkpoint}")')
    with pytest.raises(UnsupportedModel, match=r"missing"):
        transform(build(restored), ["ids"], ["gather"], 'sparsify_gather(input_checkpoint="/nowhere/model")')


def two_parts(v1):
    ids = v1.placeholder("int64", [None], name="ids")
    reads = []
    for k, values in enumerate((VALUES, VALUES[::-1])):
        w = v1.constant(values, name=f"w{k}/part_1")
        reads.append(v1.identity(w, name=f"w{k}/part_1/read"))
        v1.raw_ops.GatherV2(params=reads[-1], indices=ids, axis=v1.constant(0), name=f"gather{k}")
    v1.concat(reads, v1.constant(0, name="concat/axis"), name="concat")


def test_two_parts_and_the_concatenation_of_them():
    after = transform(build(two_parts), ["ids"], ["gather0", "gather1"], "sparsify_gather")
    assert_table(after, "w0/part_1", "gather0")
    assert_table(after, "w1/part_1", "gather1", (0, 1, 3), (0.001, 1.2, 0.2))
    assert inputs_of(after, "group_deps") == ["^w0/part_1/InitializeTable", "^w1/part_1/InitializeTable"]
    assert not {"concat", "concat/axis", "w0/part_1", "w1/part_1"} & set(names(after))


@pytest.mark.parametrize("others", [1, 2])
def test_a_concatenation_with_others(others):
    def make(v1):
        read = lookup(v1).op.inputs[0]
        more = [v1.constant(VALUES, name=f"more{k}") for k in range(others)]
        v1.concat([read, *more], v1.constant(0, name="concat/axis"), name="concat")

    after = transform(build(make), ["ids"], ["gather"], "sparsify_gather")
    assert inputs_of(after, "concat") == (["more0"] if others == 1 else ["more0", "more1", "concat/axis"])
    assert node(after, "concat").op == ("Identity" if others == 1 else "ConcatV2")
    np.testing.assert_array_equal(run(after, {}, "concat")[0], np.concatenate([VALUES] * others))


def test_dense_weights_stay_for_outputs_that_need_them():
    def make(v1):
        read = lookup(v1).op.inputs[0]
        v1.concat([read, v1.constant(VALUES)], 0, name="concat")

    before = build(make)
    after = transform(before, ["ids"], ["gather", "concat"], "sparsify_gather")
    assert_table(after)
    assert_answers(before, after, {}, "concat")
    assert "keeps the dense weight 'w/part_1'" in notes(before, ["ids"], ["gather", "concat"], "sparsify_gather")


def test_savers_lose_one_tensor():
    def make(v1):
        weight = lookup(v1, "variable").op.inputs[0].op.inputs[0]
        other = v1.raw_ops.VariableV2(shape=[2], dtype="float32", name="other")
        v1.raw_ops.RestoreV2(prefix="m", tensor_names=["w"], shape_and_slices=[""], dtypes=["float32"])
        v1.raw_ops.SaveV2(
            prefix="m",
            tensor_names=["w", "other"],
            shape_and_slices=["", "2 0,2"],
            tensors=[weight, other],
            name="save",
        )

    graph_def = build(make)
    import tempfile

    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder:
        prefix = f"{folder}/m"
        tf.raw_ops.SaveV2(prefix=prefix, tensor_names=["w"], shape_and_slices=[""], tensors=[VALUES])
        after = transform(graph_def, ["ids"], ["gather"], f'sparsify_gather(input_checkpoint="{prefix}")')
    saver = node(after, "save")
    assert inputs_of(after, "save")[3:] == ["other"]
    assert const_of(after, inputs_of(after, "save")[1]).tolist() == [b"other"]
    assert const_of(after, inputs_of(after, "save")[2]).tolist() == [b"2 0,2"]
    assert len(saver.attr["dtypes"].list.type) == 1


def test_two_lookups_share_a_table():
    def make(v1):
        gather = lookup(v1)
        v1.raw_ops.GatherV2(params=gather.op.inputs[0], indices=gather.op.inputs[1], axis=0, name="again")

    after = transform(build(make), ["ids"], ["gather", "again"], "sparsify_gather")
    assert ops(after)["HashTable"] == 1
    assert ops(after)["LookupTableFind"] == 2
    np.testing.assert_array_equal(looked_up(after, [2]), looked_up(after, [2], fetch="again"))


def test_weights_that_are_all_zero():
    after = transform(
        build(lambda v1: lookup(v1, values=np.zeros((3, 1), np.float32))), ["ids"], ["gather"], "sparsify_gather"
    )
    assert_table(after, keys=(0,), values=(0.0,))
    assert looked_up(after, [0, 1]).tolist() == [[0.0], [0.0]]


def test_not_a_number_is_kept():
    values = np.array([[0.0], [np.nan], [-np.inf]], np.float32)
    after = transform(build(lambda v1: lookup(v1, values=values)), ["ids"], ["gather"], "sparsify_gather")
    np.testing.assert_array_equal(looked_up(after, [0, 1, 2]), values)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"values": np.ones((3, 2), np.float32)}, "not [N, 1]"),
        ({"axis": 1, "values": np.ones((3, 1), np.float32)}, "does not look rows up"),
        ({"values": np.ones((3, 1), np.float64)}, "not float32"),
    ],
)
def test_what_does_not_fit_stays(options, reason):
    before = build(lambda v1: lookup(v1, **options))
    after = transform(before, ["ids"], ["gather"], "sparsify_gather")
    assert ops(after) == ops(before)
    assert reason in notes(before, ["ids"], ["gather"], "sparsify_gather")
    assert_answers(before, after, {"ids": np.array([0])}, "gather")


def test_names_with_ports():
    after = transform(build(lookup), ["ids:0"], ["gather:0"], "sparsify_gather")
    assert_table(after)


def test_what_a_saved_model_runs_first_fills_the_tables():
    from tfpare.compat import driver
    from tfpare.compat.work import Work

    def make(v1):
        lookup(v1)
        v1.no_op(name="init")

    work = Work.from_graph_def(build(make), ["ids"], ["gather"])
    work.model().origin.meta_graph.collection_def["saved_model_main_op"].node_list.value.append("init")
    work.proto()
    driver.apply(work, "sparsify_gather")
    assert any("run 'group_deps' once" in note for note in work.notes)
    after = work.proto()
    assert inputs_of(after, "init") == ["^w/part_1/InitializeTable"]
    assert looked_up(after, [2], "init") == np.float32(1.2)
