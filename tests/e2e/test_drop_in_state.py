"""Variables and tables of an optimized SavedModel: what is written stays, what is only read becomes constant."""

import numpy as np
import pytest
import tensorflow as tf

from tests.e2e.test_drop_in import assert_close, optimized, run_in_session
from tfpare.api import OptimizeOptions, optimize

MATRIX = np.arange(12, dtype=np.float32).reshape(4, 3)
VECTOR = tf.TensorSpec([None], tf.float32, name="x")


def through(module, root, signatures=None, **options):
    """The module as saved and as optimized, and the report."""
    tf.saved_model.save(module, str(root / "source"), signatures=signatures)
    report = optimize(root / "source", root / "optimized", OptimizeOptions(verify=False, **options))
    return tf.saved_model.load(str(root / "source")), tf.saved_model.load(str(root / "optimized")), report


def ops_of(path):
    from tensorflow.python.saved_model import loader_impl

    (meta,) = loader_impl.parse_saved_model(str(path)).meta_graphs
    nodes = [*meta.graph_def.node, *(n for f in meta.graph_def.library.function for n in f.node_def)]
    return {n.op for n in nodes}


# -- variables that are only read -------------------------------------------------------------------------------------


class Reads(tf.Module):
    """One variable, read in every way that a function can."""

    def __init__(self):
        super().__init__()
        self.v = tf.Variable(MATRIX)
        self.deep = tf.Variable(np.arange(24, dtype=np.float32).reshape(2, 3, 4))
        self.words = tf.Variable(["a", "b", "c"])
        self.flags = tf.Variable([True, False, True])
        self.small = tf.Variable([1, 2, 3], dtype=tf.int8)
        self.half = tf.Variable([1.5, 2.5], dtype=tf.bfloat16)
        self.unused = tf.Variable(tf.zeros([100, 100]))

    @tf.function(input_signature=[tf.TensorSpec([], tf.int32, name="n")])
    def loop(self, n):
        total = tf.zeros([3])
        for i in tf.range(n):
            total += tf.gather(self.v, i % 4) if i % 2 == 0 else self.v[0]
        return {"total": total, "shape": tf.shape(self.v)}

    @tf.function(input_signature=[tf.TensorSpec([], tf.int32, name="n")])
    def case(self, n):
        branches = [
            lambda: self.v[0],
            lambda: self.v[1] * 2.0,
            lambda: tf.cond(n > 5, lambda: self.v[2], lambda: self.v[3]),
        ]
        return {"y": tf.switch_case(n, branches)}

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.int32, name="i")])
    def gathers(self, i):
        first = i[:, :1]
        return {
            "rows": tf.raw_ops.ResourceGather(resource=self.v.handle, indices=i, dtype=tf.float32),
            "batched": tf.raw_ops.ResourceGather(
                resource=self.deep.handle, indices=first, dtype=tf.float32, batch_dims=1
            ),
            "nd": tf.raw_ops.ResourceGatherNd(resource=self.deep.handle, indices=i, dtype=tf.float32),
            "shape": tf.raw_ops.VariableShape(input=self.deep.handle, out_type=tf.int64),
            "known": tf.raw_ops.VarIsInitializedOp(resource=self.v.handle),
        }

    @tf.function(input_signature=[tf.TensorSpec([], tf.bool, name="which")])
    def chosen(self, which):
        """The handle itself goes into the branches."""

        def gather(row):
            return lambda: tf.raw_ops.ResourceGather(resource=self.v.handle, indices=row, dtype=tf.float32)

        return {"y": tf.cond(which, gather([0, 1]), gather([2, 3]))}

    @tf.function(input_signature=[])
    def types(self):
        return {"words": self.words + "!", "flags": self.flags, "small": self.small * 2, "half": self.half + self.half}


CALLS = {
    "loop": lambda m: [m.loop(n) for n in (0, 1, 5)],
    "case": lambda m: [m.case(n) for n in (0, 1, 2, 6)],
    "gathers": lambda m: m.gathers([[0, 1], [1, 2]]),
    "chosen": lambda m: [m.chosen(True), m.chosen(False)],
    "types": lambda m: m.types(),
}


@pytest.fixture(scope="module")
def reads(tmp_path_factory):
    root, module = tmp_path_factory.mktemp("reads"), Reads()
    return root, *through(module, root, {n: getattr(module, n) for n in CALLS})


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_read_variables(reads, call):
    assert_close(call(reads[1]), call(reads[2]))


def test_read_variables_are_constants(reads):
    root, _, _, report = reads
    assert not ops_of(root / "optimized") & {"ReadVariableOp", "VarHandleOp", "ResourceGather", "ResourceGatherNd"}
    assert not [n for n in report.notes if "stays" in n]


def test_read_variables_in_a_session(reads):
    root, before, _, _ = reads
    feeds = {
        "loop": {"n": 5},
        "case": {"n": 2},
        "gathers": {"i": [[0, 1], [1, 2]]},
        "chosen": {"which": True},
        "types": {},
    }
    for name, fed in feeds.items():
        got = run_in_session(root / "optimized", name, fed)
        for key, value in before.signatures[name](**{k: tf.constant(v) for k, v in fed.items()}).items():
            np.testing.assert_array_equal(got[key], value.numpy())


# -- variables that are written ---------------------------------------------------------------------------------------


class Writes(tf.Module):
    def __init__(self):
        super().__init__()
        self.count = tf.Variable(10, dtype=tf.int64)
        self.memory = tf.Variable([0.0, 0.0, 0.0])
        self.total = tf.Variable(0.0)
        self.scale = tf.Variable(3.0)

    @tf.function(input_signature=[VECTOR])
    def step(self, x):
        self.count.assign_add(1)
        return {"n": tf.identity(self.count), "y": x * self.scale}

    @tf.function(input_signature=[VECTOR])
    def remember(self, x):
        self.memory.assign(x[:3])
        return {"ok": tf.constant(True)}

    @tf.function(input_signature=[VECTOR])
    def recall(self, x):
        return {"y": self.memory + x * self.scale}

    @tf.function(input_signature=[tf.TensorSpec([], tf.int32, name="n")])
    def loop(self, n):
        for i in tf.range(n):
            self.total.assign_add(tf.cast(i, tf.float32) * self.scale)
            if i > 1:
                self.total.assign_sub(1.0)
        return {"total": tf.identity(self.total)}


def test_written_variables_live_on(tmp_path):
    module = Writes()
    before, after, report = through(
        module, tmp_path, {"step": module.step, "recall": module.recall, "loop": module.loop}
    )
    x = tf.constant([1.0, 2.0, 3.0])
    for model in (before, after):
        model.remember(x)
    for name, argument in [("step", x), ("recall", x), ("step", x), ("loop", tf.constant(4)), ("loop", tf.constant(2))]:
        assert_close(before.signatures[name](argument), after.signatures[name](argument))
        assert_close(getattr(before, name)(argument), getattr(after, name)(argument))
    stays = " ".join(n for n in report.notes if "stays a variable" in n)
    assert stays.count("stays a variable") >= 3
    assert int(after.count) == 14
    assert "scale" not in vars(after)


def test_written_variables_in_a_session(tmp_path):
    module = Writes()
    through(module, tmp_path, {"step": module.step, "recall": module.recall})
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        meta = tf.compat.v1.saved_model.load(session, ["serve"], str(tmp_path / "optimized"))
        step = meta.signature_def["step"]
        counts = [session.run(step.outputs["n"].name, {step.inputs["x"].name: [1.0]}) for _ in range(2)]
        assert counts == [11, 12]


def test_written_variables_twice(tmp_path):
    module = Writes()
    through(module, tmp_path, {"step": module.step, "recall": module.recall})
    twice = tf.saved_model.load(str(optimized(tmp_path / "optimized", tmp_path / "twice")))
    assert int(twice.signatures["step"](tf.constant([1.0]))["n"]) == 11
    twice.remember(tf.constant([1.0, 2.0, 3.0]))
    assert twice.recall(tf.constant([1.0, 1.0, 1.0]))["y"].numpy().tolist() == [4.0, 5.0, 6.0]


# -- tables -----------------------------------------------------------------------------------------------------------


class Tables(tf.Module):
    def __init__(self):
        super().__init__()
        keys, values = tf.constant(["a", "b"]), tf.constant([1, 2], tf.int64)
        self.fixed = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(keys, values), -1)
        self.mutable = tf.lookup.experimental.MutableHashTable(tf.string, tf.int64, default_value=-1)
        self.mutable.insert(tf.constant(["x", "y"]), tf.constant([7, 8], tf.int64))
        self.scale = tf.Variable(5, dtype=tf.int64)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="words")])
    def find(self, words):
        return {"fixed": self.fixed.lookup(words) * self.scale, "mutable": self.mutable.lookup(words)}

    @tf.function(input_signature=[tf.TensorSpec([], tf.string, name="word"), tf.TensorSpec([], tf.int64, name="value")])
    def insert(self, word, value):
        self.mutable.insert(word, value)
        return {"size": self.mutable.size()}


@pytest.mark.parametrize("times", [1, 2])
def test_tables(tmp_path, times):
    module = Tables()
    before, after, _ = through(module, tmp_path, {"find": module.find, "insert": module.insert})
    if times == 2:
        after = tf.saved_model.load(str(optimized(tmp_path / "optimized", tmp_path / "twice")))
    words = tf.constant(["a", "x", "z", "b"])
    assert_close(before.find(words), after.find(words))
    for model in (before, after):
        model.signatures["insert"](word=tf.constant("z"), value=tf.constant(9, tf.int64))
    assert after.signatures["find"](words)["mutable"].numpy().tolist() == [-1, 7, 9, -1]
    assert_close(before.signatures["find"](words), after.signatures["find"](words))


def test_tables_in_a_session(tmp_path):
    module = Tables()
    through(module, tmp_path, {"find": module.find, "insert": module.insert})
    outcomes = []
    for name in ("source", "optimized"):
        try:
            found = run_in_session(tmp_path / name, "find", {"words": ["a", "x"]})
            outcomes.append({k: v.tolist() for k, v in found.items()})
        except tf.errors.OpError as error:
            outcomes.append(type(error))
    assert outcomes[0] == outcomes[1]
