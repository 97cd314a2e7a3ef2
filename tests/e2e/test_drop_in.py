"""The optimized SavedModel takes the place of the original in every way that TensorFlow 2 loads and calls it."""

import collections
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.e2e.golden import SMALL
from tfpare.api import OptimizeOptions, optimize

KERAS = SMALL / "tf2_keras_mnist" / "saved_model"
Pair = collections.namedtuple("Pair", ["left", "right"])


def optimized(source, target, **options) -> Path:
    optimize(source, target, OptimizeOptions(verify=False, **options))
    return target


def assert_close(expected, got):
    """Equal structures, types and values; floats up to rounding."""
    tf.nest.assert_same_structure(expected, got, expand_composites=True)
    pairs = zip(
        tf.nest.flatten(expected, expand_composites=True), tf.nest.flatten(got, expand_composites=True), strict=True
    )
    for a, b in pairs:
        assert a.dtype == b.dtype
        assert a.shape == b.shape
        if a.dtype.is_floating:
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-5, atol=1e-6)
        else:
            np.testing.assert_array_equal(a.numpy(), b.numpy())


def assert_same_signatures(before, after):
    assert set(before.signatures) == set(after.signatures)
    for name, function in before.signatures.items():
        other = after.signatures[name]
        assert other.structured_input_signature == function.structured_input_signature
        assert other.structured_outputs == function.structured_outputs
        assert [a.name for a in other.inputs[: len(other.structured_input_signature[1])]] == [
            a.name for a in function.inputs[: len(function.structured_input_signature[1])]
        ]


# -- Keras ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def keras_optimized(tmp_path_factory):
    return optimized(KERAS, tmp_path_factory.mktemp("keras") / "optimized")


def digits(count=3):
    signature = tf.saved_model.load(str(KERAS)).signatures["serving_default"].structured_input_signature[1]
    (spec,) = signature.values()
    shape = [count if d is None else d for d in spec.shape]
    return np.random.default_rng(0).uniform(0, 1, shape).astype(spec.dtype.as_numpy_dtype)


@pytest.mark.parametrize("endpoint", ["serve", "serving_default"])
def test_keras_layer_of_each_endpoint(keras_optimized, endpoint):
    import keras

    x = digits()
    before, after = (keras.layers.TFSMLayer(str(d), call_endpoint=endpoint) for d in (KERAS, keras_optimized))
    assert_close(before(x), after(x))
    assert len(after.trainable_weights) == 0


def test_keras_functions_and_signatures(keras_optimized):
    before, after = tf.saved_model.load(str(KERAS)), tf.saved_model.load(str(keras_optimized))
    assert_same_signatures(before, after)
    x = digits()
    assert_close(before.serve(x), after.serve(x))
    assert callable(before) == callable(after)
    for name in before.signatures:
        assert_close(before.signatures[name](tf.constant(x)), after.signatures[name](tf.constant(x)))


# -- tf.Module --------------------------------------------------------------------------------------------------------


class Block(tf.Module):
    def __init__(self, width):
        super().__init__()
        self.kernel = tf.Variable(np.random.default_rng(1).normal(0, 1, (4, width)).astype(np.float32))

    @tf.function(input_signature=[tf.TensorSpec([None, 4])])
    def project(self, x):
        return tf.nn.relu(x @ self.kernel)


class Various(tf.Module):
    """Functions of every shape that callers meet."""

    def __init__(self):
        super().__init__()
        self.block = Block(3)
        self.blocks = [Block(2), Block(5)]
        self.named = {"inner": Block(6)}
        self.bias = tf.Variable([1.0, 2.0, 3.0, 4.0])
        self.words = tf.Variable(["a", "b", "c"])
        self.flags = tf.Variable([True, False])
        self.counts = tf.Variable([1, 2, 3], dtype=tf.int64)

    @tf.function
    def __call__(self, x, training=False, scale=2.0):
        y = x + self.bias
        return y * 0.5 if training else y * scale

    @tf.function
    def polymorphic(self, x):
        if x.dtype == tf.string:
            return tf.strings.join([x, self.words[0]])
        return tf.cast(x, tf.float32) + self.bias[0]

    @tf.function
    def nested(self, features, pair, *, weight=None):
        total = features["a"] + features["b"][0] * features["b"][1] + self.bias
        if weight is not None:
            total *= weight
        return {"sum": total, "parts": [pair.left, (pair.right, total)], "pair": Pair(total, pair.left)}

    @tf.function(input_signature=[tf.RaggedTensorSpec([None, None], tf.int64)])
    def ragged(self, ids):
        return tf.ragged.map_flat_values(lambda v: tf.gather(self.counts, v), ids), tf.reduce_sum(ids, axis=1)

    @tf.function(input_signature=[tf.SparseTensorSpec([None, 4])])
    def sparse(self, x):
        return tf.sparse.sparse_dense_matmul(x, self.bias[:, None]), tf.sparse.map_values(lambda v: v * 2.0, x)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int32)])
    def lookups(self, i):
        return tf.gather(self.words, i), tf.gather(self.counts, i), self.flags

    @tf.function(input_signature=[tf.TensorSpec([None, 4], name="features"), tf.TensorSpec([], tf.bool, name="double")])
    def serve(self, features, double):
        y = tf.cond(double, lambda: self.block.project(features) * 2.0, lambda: self.block.project(features))
        return {"y": y, "echo": features, "flags": self.flags, "n": tf.shape(features)[0]}


def features(dtype=np.float32, rows=2):
    return tf.constant(np.arange(rows * 4).reshape(rows, 4).astype(dtype))


def nested_arguments():
    x = features()
    return ({"a": x, "b": [x, x + 1.0]}, Pair(x, tf.constant([1, 2])))


def save_various(path):
    module = Various()
    module(features())
    module(features(), training=True)
    module(features(), scale=3.0)
    for dtype in (tf.float32, tf.int32, tf.string):
        module.polymorphic.get_concrete_function(tf.TensorSpec([None], dtype))
    module.polymorphic.get_concrete_function(tf.TensorSpec([None, 2], tf.float32))
    module.nested(*nested_arguments())
    module.nested(*nested_arguments(), weight=tf.constant(2.0))
    module.blocks[0].project.get_concrete_function()
    module.blocks[1].project.get_concrete_function()
    module.named["inner"].project.get_concrete_function()
    tf.saved_model.save(
        module,
        str(path),
        signatures={"serving_default": module.serve, "lookups": module.lookups, "block": module.blocks[1].project},
    )
    return path


@pytest.fixture(scope="module")
def various(tmp_path_factory):
    root = tmp_path_factory.mktemp("various")
    source = save_various(root / "source")
    before = tf.saved_model.load(str(source))
    return before, tf.saved_model.load(str(optimized(source, root / "optimized")))


CALLS = {
    "call": lambda m: m(features()),
    "training": lambda m: m(features(), training=True),
    "default_argument": lambda m: m(features(), scale=3.0),
    "keyword": lambda m: m(x=features(), training=False),
    "polymorphic_float": lambda m: m.polymorphic(tf.constant([1.0, 2.0])),
    "polymorphic_int": lambda m: m.polymorphic(tf.constant([1, 2])),
    "polymorphic_string": lambda m: m.polymorphic(tf.constant([b"x", b"y"])),
    "polymorphic_matrix": lambda m: m.polymorphic(tf.ones([3, 2])),
    "nested": lambda m: m.nested(*nested_arguments()),
    "nested_keyword": lambda m: m.nested(*nested_arguments(), weight=tf.constant(2.0)),
    "ragged": lambda m: m.ragged(tf.ragged.constant([[0, 1], [], [2]], dtype=tf.int64)),
    "sparse": lambda m: m.sparse(tf.sparse.from_dense([[0.0, 1, 0, 2], [0, 0, 3, 0]])),
    "lookups": lambda m: m.lookups(tf.constant([0, 2])),
    "serve": lambda m: m.serve(features(), tf.constant(True)),
    "submodule": lambda m: m.block.project(features()),
    "list_of_modules": lambda m: [b.project(features()) for b in m.blocks],
    "dict_of_modules": lambda m: m.named["inner"].project(features()),
    "signature": lambda m: m.signatures["serving_default"](features=features(), double=tf.constant(False)),
    "signature_of_submodule": lambda m: m.signatures["block"](features()),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_functions_of_modules(various, call):
    before, after = various
    assert_close(call(before), call(after))


def test_signatures_of_modules(various):
    assert_same_signatures(*various)


def test_same_refusals(various):
    """Calls that no trace of the original takes are refused alike."""
    for model in various:
        with pytest.raises(ValueError, match="Could not find matching concrete function"):
            model.polymorphic(tf.constant([1 + 2j]))


# -- files and command-line tools -------------------------------------------------------------------------------------


class WithAsset(tf.Module):
    def __init__(self, vocabulary):
        super().__init__()
        initializer = tf.lookup.TextFileInitializer(
            str(vocabulary),
            tf.string,
            tf.lookup.TextFileIndex.WHOLE_LINE,
            tf.int64,
            tf.lookup.TextFileIndex.LINE_NUMBER,
        )
        self.table = tf.lookup.StaticVocabularyTable(initializer, num_oov_buckets=1)
        self.embeddings = tf.Variable(np.random.default_rng(0).normal(0, 1, (4, 2)).astype(np.float32))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="words")])
    def serve(self, words):
        ids = self.table.lookup(words)
        return {"ids": ids, "vectors": tf.gather(self.embeddings, ids)}


@pytest.fixture(scope="module")
def with_asset(tmp_path_factory):
    root = tmp_path_factory.mktemp("asset")
    (root / "vocabulary.txt").write_text("red\ngreen\nblue\n")
    tf.saved_model.save(WithAsset(root / "vocabulary.txt"), str(root / "source"))
    (root / "vocabulary.txt").unlink()  # only the copy in the model is left
    extra = root / "source" / "assets.extra"
    extra.mkdir()
    (extra / "tf_serving_warmup_requests").write_bytes(bytes(range(256)))
    optimized(root / "source", root / "optimized")
    optimized(root / "optimized", root / "twice")
    return root


@pytest.mark.parametrize("name", ["optimized", "twice"])
def test_files_beside_the_graph(with_asset, name):
    before, after = with_asset / "source", with_asset / name
    for folder in ("assets", "assets.extra"):
        assert {f.name: f.read_bytes() for f in (before / folder).iterdir()} == {
            f.name: f.read_bytes() for f in (after / folder).iterdir()
        }


@pytest.mark.parametrize("name", ["optimized", "twice"])
def test_table_from_an_asset(with_asset, name, tmp_path):
    moved = shutil.copytree(with_asset / name, tmp_path / "elsewhere")
    before, after = tf.saved_model.load(str(with_asset / "source")), tf.saved_model.load(str(moved))
    words = tf.constant(["blue", "red", "?"])
    assert_close(before.serve(words), after.serve(words))
    assert_close(before.signatures["serving_default"](words), after.signatures["serving_default"](words))
    expected = {k: v.numpy() for k, v in before.serve(words).items()}
    got = run_in_session(moved, "serving_default", {"words": words.numpy()})
    for key, value in expected.items():
        np.testing.assert_allclose(got[key], value) if value.dtype.kind == "f" else np.testing.assert_array_equal(
            got[key], value
        )


def run_in_session(path, signature, feeds, tags=("serve",)):
    """As TensorFlow Serving does: load, restore, run the init op."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        meta = tf.compat.v1.saved_model.load(session, list(tags), str(path))
        loaded = meta.signature_def[signature]
        return session.run(
            {k: v.name for k, v in loaded.outputs.items()}, {loaded.inputs[k].name: v for k, v in feeds.items()}
        )


def cli(*arguments):
    program = Path(sys.executable).with_name("saved_model_cli")
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.Popen([program, *map(str, arguments)], stdout=subprocess.PIPE, text=True, env=environment)


def test_saved_model_cli_shows_the_same(with_asset):
    shown = [cli("show", "--dir", with_asset / name, "--all") for name in ("source", "optimized")]
    before, after = (_without_ops(process.communicate()[0]) for process in shown)
    assert any("inputs['words'] tensor_info" in line for line in before)
    assert after == before


def _without_ops(text):
    return [line for line in text.splitlines() if "contains the following ops" not in line]


def test_saved_model_cli_runs_the_result(with_asset, tmp_path):
    process = cli(
        *("run", "--dir", with_asset / "optimized", "--tag_set", "serve", "--signature_def", "serving_default"),
        *("--input_exprs", "words=['blue', 'red']", "--outdir", tmp_path),
    )
    process.communicate()
    assert process.returncode == 0
    assert np.load(tmp_path / "ids.npy").tolist() == [2, 0]


@pytest.mark.parametrize("source", [KERAS, SMALL / "tf1_mnist_convnet" / "saved_model"], ids=["keras", "tf1"])
def test_protos_say_the_same(source, tmp_path):
    from tensorflow.python.saved_model import loader_impl

    pair = [loader_impl.parse_saved_model(str(d)) for d in (source, optimized(source, tmp_path / "optimized"))]
    before, after = pair
    assert len(before.meta_graphs) == len(after.meta_graphs)
    for one, other in zip(before.meta_graphs, after.meta_graphs, strict=True):
        assert list(one.meta_info_def.tags) == list(other.meta_info_def.tags)
        assert dict(one.signature_def.items()).keys() == dict(other.signature_def.items()).keys()
        for name, signature in one.signature_def.items():
            assert other.signature_def[name] == signature


def test_functions_without_a_name_of_their_own(tmp_path):
    module = tf.Module()
    module.weight = tf.Variable([[1.0, 2.0], [3.0, 4.0]])
    spec = [tf.TensorSpec([None, 2], name="x")]
    module.apply = tf.function(lambda x: {"y": tf.nn.relu(x @ module.weight) + 1.0}, input_signature=spec)
    tf.saved_model.save(module, str(tmp_path / "model"), signatures=module.apply)
    optimize(tmp_path / "model", tmp_path / "out")
    loaded = tf.saved_model.load(str(tmp_path / "out"))
    assert loaded.signatures["serving_default"](x=tf.ones([1, 2]))["y"].numpy().tolist() == [[5.0, 7.0]]
    assert loaded.apply(tf.ones([1, 2]))["y"].numpy().tolist() == [[5.0, 7.0]]
