"""`-o FILE.pb`: one frozen graph whose input and output tensors keep the names that the signatures know."""

import numpy as np
import pytest
import tensorflow as tf

from tests.e2e.golden import SMALL
from tests.e2e.test_drop_in import KERAS, WithAsset, run_in_session
from tests.e2e.test_drop_in_v1 import counter, save
from tfpare.api import OptimizeOptions, optimize
from tfpare.errors import UnsupportedModel
from tfpare.io import saved_model
from tfpare.verifier import VerifyOptions, verify


class Several(tf.Module):
    def __init__(self):
        super().__init__()
        self.kernel = tf.Variable(np.arange(6, dtype=np.float32).reshape(3, 2))
        self.table = tf.Variable(np.arange(8, dtype=np.float32))
        self.constant = tf.constant([5.0, 6.0])
        self.count = tf.Variable(0)

    @tf.function(input_signature=[tf.TensorSpec([None, 3], name="x"), tf.TensorSpec([None], tf.int32, name="i")])
    def serve(self, x, i):
        y = x @ self.kernel + self.constant
        for _ in tf.range(2):
            y = y * tf.gather(self.table, i[0])
        return {"y": y, "rows": tf.gather(self.table, i), "same": x, "also": y}

    @tf.function(input_signature=[tf.TensorSpec([None, 3], name="x")])
    def single(self, x):
        return {"z": tf.nn.relu(x) @ self.kernel}

    @tf.function(input_signature=[tf.TensorSpec([], tf.int32, name="n")])
    def step(self, n):
        self.count.assign_add(n)
        return {"n": n + 1}


X = np.array([[1.0, -2.0, 3.0], [0.5, 0.25, -1.0]], np.float32)


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    path, module = tmp_path_factory.mktemp("several") / "source", Several()
    tf.saved_model.save(module, str(path), {n: getattr(module, n) for n in ("serve", "single", "step")})
    return path


def run_pb(path, source, signature, feeds):
    """Runs the tensors that the signature of the original names."""
    (meta,) = saved_model.parse(source).proto.meta_graphs
    known = meta.signature_def[signature]
    graph_def = tf.compat.v1.GraphDef.FromString(path.read_bytes())
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.graph_util.import_graph_def(graph_def, name="")
        return session.run(
            {k: v.name for k, v in known.outputs.items()}, {known.inputs[k].name: v for k, v in feeds.items()}
        )


def test_functions_become_one_graph(several, tmp_path):
    target = tmp_path / "frozen.pb"
    report = optimize(several, target, OptimizeOptions(signatures=("serve", "single")))
    assert report.verification.ok
    assert {o.signature for o in report.verification.outputs} == {"serve", "single"}
    for name, fed in (("serve", {"x": X, "i": [2, 3]}), ("single", {"x": X})):
        expected, got = run_in_session(several, name, fed), run_pb(target, several, name, fed)
        assert expected.keys() == got.keys()
        for key, value in expected.items():
            np.testing.assert_allclose(got[key], value, rtol=1e-5)
    ops = {n.op for n in tf.compat.v1.GraphDef.FromString(target.read_bytes()).node}
    assert not ops & {"VarHandleOp", "PartitionedCall", "StatefulPartitionedCall", "NoOp", "Assert"}


@pytest.mark.parametrize(
    "model",
    [
        "keras",
        "tf2_functional_cf",
        pytest.param("tf2_matmul_bn", marks=pytest.mark.slow),
        pytest.param("tf2_mixed_dtypes", marks=pytest.mark.slow),
    ],
)
def test_small_models(model, tmp_path):
    source = KERAS if model == "keras" else SMALL / model / "saved_model"
    signatures = ("serving_default",) if model == "tf2_functional_cf" else ()  # the other one has a table
    report = optimize(source, tmp_path / "frozen.pb", OptimizeOptions(signatures=signatures))
    assert report.verification.ok
    assert report.verification.outputs


def test_verify_compares_both_forms(several, tmp_path):
    target = tmp_path / "frozen.pb"
    optimize(several, target, OptimizeOptions(signatures=("serve",), verify=False))
    assert verify(several, target, VerifyOptions(signatures=("serve",))).ok


def test_written_variables_are_refused(several, tmp_path):
    with pytest.raises(UnsupportedModel, match=r"'count'.*Write a SavedModel"):
        optimize(several, tmp_path / "frozen.pb", OptimizeOptions(verify=False))
    assert not list(tmp_path.iterdir())
    source = save(tmp_path / "v1", counter)
    with pytest.raises(UnsupportedModel, match=r"'count'.*Write a SavedModel"):
        optimize(source, tmp_path / "frozen.pb", OptimizeOptions(verify=False))


def test_tables_are_refused(tmp_path):
    (tmp_path / "vocabulary.txt").write_text("red\ngreen\n")
    tf.saved_model.save(WithAsset(tmp_path / "vocabulary.txt"), str(tmp_path / "source"))
    with pytest.raises(UnsupportedModel, match=r"table.*Write a SavedModel"):
        optimize(tmp_path / "source", tmp_path / "frozen.pb", OptimizeOptions(verify=False))
