"""Session-style SavedModels: the optimized one loads and answers as the original does, its state included."""

import numpy as np
import pytest
import tensorflow as tf

from tests.e2e.test_drop_in import optimized, run_in_session
from tfpare.api import OptimizeOptions, optimize

v1 = tf.compat.v1
MATRIX = np.arange(12, dtype=np.float32).reshape(6, 2)


def save(path, build, tags=("serve",), resources=False):
    """Saves the graph that `build(session)` makes; it returns signatures as (inputs, outputs) and a main op."""
    with tf.Graph().as_default(), v1.Session() as session:
        v1.get_variable_scope().set_use_resource(resources)
        signatures, main_op = build(session)
        builder = v1.saved_model.Builder(str(path))
        assets = v1.get_collection(v1.GraphKeys.ASSET_FILEPATHS)
        builder.add_meta_graph_and_variables(
            session, list(tags), _defs(signatures), main_op=main_op, assets_collection=assets
        )
        builder.save()
    return path


def _defs(signatures):
    return {
        name: v1.saved_model.predict_signature_def(inputs, outputs) for name, (inputs, outputs) in signatures.items()
    }


def assert_same_answers(before, after, feeds, tags=("serve",)):
    for name, fed in feeds:
        a, b = (run_in_session(d, name, fed, tags) for d in (before, after))
        assert a.keys() == b.keys()
        for key in a:
            assert a[key].dtype == b[key].dtype
            np.testing.assert_array_equal(a[key], b[key], err_msg=f"{name}/{key}")


def variable_ops(path):
    from tensorflow.python.saved_model import loader_impl

    ops = {"VariableV2", "VarHandleOp"}
    metas = loader_impl.parse_saved_model(str(path)).meta_graphs
    return [n.name for m in metas for n in m.graph_def.node if n.op in ops]


@pytest.mark.parametrize("resources", [False, True])
def test_partitioned_variables(tmp_path, resources):
    def build(session):
        ids = v1.placeholder(tf.int64, [None], name="ids")
        with v1.variable_scope("scope", partitioner=v1.fixed_size_partitioner(3)):
            table = v1.get_variable("table", MATRIX.shape)
        session.run(v1.global_variables_initializer())
        rows = tf.nn.embedding_lookup(table, ids)
        return {
            "serving_default": ({"ids": ids}, {"rows": rows, "sum": tf.reduce_sum(tf.convert_to_tensor(table))})
        }, None

    source = save(tmp_path / "source", build, resources=resources)
    target = optimized(source, tmp_path / "optimized")
    assert_same_answers(source, target, [("serving_default", {"ids": [0, 3, 5]})])
    assert variable_ops(target) == []


def counter(session):
    x = v1.placeholder(tf.float32, [None], name="x")
    count = v1.get_variable("count", initializer=tf.constant(5, tf.int64))
    scale = v1.get_variable("scale", initializer=2.0)
    session.run(v1.global_variables_initializer())
    session.run(count.assign_add(1))
    step = count.assign_add(1)
    with tf.control_dependencies([step]):
        y = tf.identity(x * scale, name="y")
    read = tf.identity(count, name="read")
    return {"step": ({"x": x}, {"y": y, "n": tf.identity(step)}), "read": ({"x": x}, {"n": read, "y": x * scale})}, None


@pytest.mark.parametrize("resources", [False, True])
@pytest.mark.parametrize("times", [1, 2])
def test_written_variables(tmp_path, resources, times):
    source = save(tmp_path / "source", counter, resources=resources)
    target = tmp_path / "optimized"
    report = optimize(source, target, OptimizeOptions(verify=False))
    assert any("count" in n and "stays a variable" in n for n in report.notes)
    if times == 2:
        target = optimized(target, tmp_path / "twice")
    assert variable_ops(target) == ["count"]
    answers = []
    for path in (source, target):
        with tf.Graph().as_default(), v1.Session() as session:
            meta = v1.saved_model.load(session, ["serve"], str(path))
            step, read = meta.signature_def["step"], meta.signature_def["read"]
            for _ in range(2):
                session.run(step.outputs["y"].name, {step.inputs["x"].name: [1.0]})
            answers.append(int(session.run(read.outputs["n"].name)))
    assert answers == [8, 8]


def test_written_variables_through_tf_saved_model_load(tmp_path):
    source = save(tmp_path / "source", counter, resources=True)
    target = optimized(source, tmp_path / "optimized")
    answers = []
    for path in (source, target):
        model = tf.saved_model.load(str(path))
        x = tf.constant([1.0])
        answers.append(
            [model.signatures["step"](x)["n"].numpy() for _ in range(2)] + [model.signatures["read"](x)["n"].numpy()]
        )
    assert answers[0] == answers[1]


def test_tables_types_and_unused_variables(tmp_path):
    vocabulary = tmp_path / "vocabulary.txt"
    vocabulary.write_text("red\ngreen\nblue\n")

    def build(session):
        words = v1.placeholder(tf.string, [None], name="words")
        from_file = tf.lookup.StaticVocabularyTable(
            tf.lookup.TextFileInitializer(str(vocabulary), tf.string, 0, tf.int64, -1), 2
        )
        fixed = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(tf.constant(["red"]), tf.constant([3], tf.int64)), -1
        )
        names = v1.get_variable("names", initializer=tf.constant([b"r", b"g", b"b", b"?", b"!"]))
        flags = v1.get_variable("flags", initializer=tf.constant([True, False, True, True, False]))
        v1.get_variable("unused", initializer=tf.zeros([10]))
        session.run([v1.global_variables_initializer(), v1.tables_initializer()])
        ids = from_file.lookup(words)
        outputs = {
            "ids": ids,
            "fixed": fixed.lookup(words),
            "name": tf.gather(names, ids),
            "flag": tf.gather(flags, ids),
        }
        return {
            "serving_default": ({"words": words}, outputs),
            "again": ({"words": words}, {"ids": ids}),
        }, v1.tables_initializer()

    source = save(tmp_path / "source", build)
    vocabulary.unlink()
    once = optimized(source, tmp_path / "once")
    twice = optimized(once, tmp_path / "twice")
    fed = [("serving_default", {"words": ["blue", "red", "x"]}), ("again", {"words": ["green"]})]
    for target in (once, twice):
        assert_same_answers(source, target, fed)
        assert variable_ops(target) == []
        assert (target / "assets" / "vocabulary.txt").read_text() == "red\ngreen\nblue\n"
    before, after = (tf.saved_model.load(str(d)).signatures["serving_default"] for d in (source, twice))
    words = tf.constant(["blue", "red", "x"])
    assert after(words)["ids"].numpy().tolist() == before(words)["ids"].numpy().tolist()


def test_several_meta_graphs(tmp_path):
    def build(session, factor):
        x = v1.placeholder(tf.float32, [None, 2], name="x")
        kernel = v1.get_variable("kernel", initializer=MATRIX[:2])
        session.run(v1.global_variables_initializer())
        return {"serving_default": ({"x": x}, {"y": tf.matmul(x, kernel) * factor})}, None

    path = tmp_path / "source"
    builder = v1.saved_model.Builder(str(path))
    for factor, tags in ((1.0, ["serve"]), (2.0, ["serve", "gpu"]), (3.0, ["train"])):
        with tf.Graph().as_default(), v1.Session() as session:
            signatures, _ = build(session, factor)
            if factor == 1.0:
                builder.add_meta_graph_and_variables(session, tags, _defs(signatures))
            else:
                builder.add_meta_graph(tags, _defs(signatures))
    builder.save()
    target = optimized(path, tmp_path / "optimized")
    fed = [("serving_default", {"x": [[1.0, 2.0]]})]
    for tags in (["serve"], ["serve", "gpu"]):
        assert_same_answers(path, target, fed, tags)
    one = optimized(path, tmp_path / "one", tags=("serve", "gpu"))
    assert_same_answers(path, one, fed, ["serve", "gpu"])


@pytest.mark.parametrize("resources", [False, True])
def test_variables_in_control_flow(tmp_path, resources):
    """Frames of TF 1: reads in loops and branches; a loop that writes."""

    def build(session):
        n = v1.placeholder(tf.int32, [], name="n")
        v = v1.get_variable("v", initializer=MATRIX)
        total = v1.get_variable("total", initializer=0.0)
        session.run(v1.global_variables_initializer())
        summed = v1.while_loop(lambda i, s: i < n, lambda i, s: (i + 1, s + v[i % 6]), [0, tf.zeros([2])])[1]
        chosen = v1.cond(n > 2, lambda: v * 2.0, lambda: tf.gather(v, [0, 1]))

        def add(i):
            with tf.control_dependencies([total.assign_add(tf.cast(i, tf.float32))]):
                return i + 1

        last = v1.while_loop(lambda i: i < n, add, [0])
        with tf.control_dependencies([last]):
            written = tf.identity(total.read_value())
        return {
            "read": ({"n": n}, {"summed": summed, "chosen": chosen}),
            "write": ({"n": n}, {"total": written, "last": last}),
        }, None

    v1.disable_control_flow_v2()
    try:
        source = save(tmp_path / "source", build, resources=resources)
    finally:
        v1.enable_control_flow_v2()
    target = optimized(source, tmp_path / "optimized")
    assert_same_answers(source, target, [("read", {"n": 4}), ("read", {"n": 1}), ("write", {"n": 4})])
    assert variable_ops(target) == ["total"]
