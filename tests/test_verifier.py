"""The proof itself is proven: equal models pass, every kind of difference fails, what cannot be settled is said."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from tfpare.api import OptimizeOptions, optimize
from tfpare.differences import difference
from tfpare.environment import child_environment
from tfpare.errors import UsageError, VerificationError
from tfpare.execution import ModelCrashed, ModelRunner, RunRefused
from tfpare.feeds import expressions, given
from tfpare.io.read import ReadOptions, read
from tfpare.ir.model import Signature, TensorInfo
from tfpare.ir.types import Shape, dtype
from tfpare.verifier import OutputDifference, Verifier, VerifyOptions, first_difference, verify

FIXTURES = Path(__file__).parent / "data" / "fixtures"


# -- two arrays -----------------------------------------------------------------------------------------------------


def test_equal_arrays_agree_in_every_dtype() -> None:
    for array in (
        np.float32([1, -2, np.nan, np.inf]),
        np.float64(3.5),
        np.array([1, 2], ml_dtypes.bfloat16),
        np.complex64([1 + 2j]),
        np.int8([-3]),
        np.array([b"a", b""], object),
        np.zeros((0, 3), np.float32),
        np.array(True),
    ):
        for tolerance in (None, 0.0):
            found = difference(np.asarray(array), np.asarray(array).copy(), tolerance)
            assert not found.problem
            assert found.max_abs == found.max_rel == found.max_ulp == 0


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        (np.float32([1, 2]), np.float32([1, 4]), "1 of the largest magnitude"),
        (np.float32([1, 2]), np.float64([1, 2]), "dtype"),
        (np.float32([1, 2]), np.float32([[1, 2]]), "shape"),
        (np.float32([1, np.nan]), np.float32([1, 2]), "NaN"),
        (np.float32([1, np.inf]), np.float32([1, -np.inf]), "inf"),
        (np.float32([0, 0]), np.float32([0, 1e-20]), "largest difference"),
        (np.int64([3, 4]), np.int64([3, 5]), "1 of 2 entries"),
        (np.array([b"a"], object), np.array([b"b"], object), "1 of 1"),
        (np.array([True]), np.array([False]), "1 of 1"),
        (np.complex64([1]), np.complex64([1 + 1j]), "largest difference"),
    ],
)
def test_differences_are_found(before: np.ndarray, after: np.ndarray, says: str) -> None:
    assert says in difference(before, after, None).problem


def test_tolerance_is_relative_to_the_largest_magnitude() -> None:
    before = np.float32([1000, 0.001])
    assert not difference(before, np.float32([1000, 0.010]), None).problem
    assert difference(before, np.float32([1000, 0.012]), None).problem
    assert difference(before, np.float32([1000, 0.010]), 1e-6).problem


def test_zero_tolerance_compares_bits() -> None:
    assert difference(np.float32([0.0]), np.float32([-0.0]), 0.0).problem
    assert difference(np.float32([1]), np.nextafter(np.float32([1]), np.float32(2)), 0.0).problem
    one_nan, other_nan = np.uint32([0x7FC00000, 0x7FC00001]).view(np.float32)
    assert not difference(np.float32([one_nan]), np.float32([other_nan]), 0.0).problem


@pytest.mark.parametrize("type_", [np.float16, ml_dtypes.bfloat16, np.float32, np.float64])
def test_neighbours_are_one_ulp_apart_also_across_zero(type_: type) -> None:
    width = np.dtype(type_).itemsize
    smallest = np.array([1], f"u{width}").view(type_)
    assert difference(smallest, -smallest, 0.0).max_ulp == 2
    one = np.array([1], type_)
    after = (one.view(f"u{width}") + 1).astype(f"u{width}").view(type_)
    assert difference(one, after, 0.0).max_ulp == 1


def test_top1_agreement_counts_rows() -> None:
    found = difference(np.float32([[1, 2], [2, 1]]), np.float32([[1, 2], [1, 2]]), None)
    assert (found.same_top1, found.rows) == (1, 2)


def test_denormals_may_be_flushed_to_zero() -> None:
    assert not difference(np.float32([1e-40]), np.float32([0]), None).problem


# -- given inputs ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[[1., 2.]]", [[1.0, 2.0]]),
        ("np.ones((1, 2)) * 255", [[255, 255]]),
        ("-zeros((2,)) + 1 / 2", [0.5, 0.5]),
        ("full((2,), 7, np.int32)", [7, 7]),
        ("arange(3)", [0, 1, 2]),
        ("True", True),
    ],
)
def test_expressions_are_read(text: str, value: object) -> None:
    np.testing.assert_array_equal(expressions.evaluate(text), np.asarray(value))


def test_random_expressions_follow_the_seed() -> None:
    first, again = (expressions.evaluate("np.random.rand(2, 3)", seed=4) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert first.shape == (2, 3)
    assert (expressions.evaluate("randint(0, 5, (20,))") < 5).all()


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os')",
        "__import__('os').system('true')",
        "open('/etc/passwd').read()",
        "(lambda: 1)()",
        "[x for x in (1, 2)]",
        "np.load('x.npy')",
        "np.ones((2,)).tofile('x')",
        "np.ones.__globals__",
        "ones((1000000, 1000000))",
        "arange(10**12)",
        "9**9**9",
        "[[1], [1, 2]]",
        "x",
        "1 +",
        "ones(*[(2,)])",
    ],
)
def test_expressions_refuse_code(text: str) -> None:
    with pytest.raises(UsageError, match="input expression"):
        expressions.evaluate(text)


def test_expressions_suggest_the_nearest_maker() -> None:
    with pytest.raises(UsageError, match="Did you mean 'ones'"):
        expressions.evaluate("np.one((2,))")


def test_semicolons_in_quotes_do_not_separate() -> None:
    assert expressions.split("a=[';'];b=1") == [("a", "[';']"), ("b", "1")]
    with pytest.raises(UsageError, match="key=value"):
        expressions.split("a")


def test_files_are_loaded_without_pickle(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.float32([1]))
    np.savez(tmp_path / "b.npz", u=np.int32([2]), v=np.int32([3]))
    np.save(tmp_path / "evil.npy", np.array([{}], object), allow_pickle=True)
    arrays = given.load(None, f"x={tmp_path}/a.npy;y={tmp_path}/b.npz[v]", "", 0)
    assert arrays["x"] == [1]
    assert arrays["y"] == [3]
    with pytest.raises(UsageError, match="Pickled"):
        given.load(None, f"x={tmp_path}/evil.npy", "", 0)
    with pytest.raises(UsageError, match="no array 'w'"):
        given.load(None, f"x={tmp_path}/b.npz[w]", "", 0)
    with pytest.raises(UsageError, match="does not exist"):
        given.load(tmp_path / "none.npz", "", "", 0)


# -- bisection ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("guilty", range(0, 11))
def test_bisection_finds_the_first_step_that_differs(guilty: int) -> None:
    tried: list[int] = []

    def make(steps: int) -> Path:
        tried.append(steps)
        return Path(str(steps))

    assert first_difference(make, 10, lambda p: int(p.name) < guilty) == guilty
    assert len(tried) <= 5


# -- whole models ---------------------------------------------------------------------------------------------------


def save_graph(path: Path, build: object) -> Path:
    import tensorflow as tf

    with tf.Graph().as_default() as graph:
        build(tf)  # type: ignore[operator]
    path.write_bytes(graph.as_graph_def().SerializeToString())
    return path


def dense(scale: float = 1.0, weight: float = 0.0):
    def build(tf: object) -> None:
        x = tf.compat.v1.placeholder(tf.float32, [None, 3], name="x")
        kernel = np.linspace(-1, 1, 12).reshape(3, 4).astype(np.float32)
        kernel[2, 1] += weight
        tf.identity(tf.nn.relu(tf.matmul(x, kernel)) * scale + 1.0, name="y")
        tf.identity(tf.argmax(tf.matmul(x, kernel), -1), name="best")

    return build


NAMES = VerifyOptions(input_names=("x",), output_names=("y",))


def test_an_equal_model_passes(tmp_path: Path) -> None:
    before = save_graph(tmp_path / "a.pb", dense())
    report = verify(before, before, VerifyOptions(output_names=("y", "best"), tolerance=0))
    assert report.ok
    assert report.feeds == 3
    assert {o.output: o.max_abs for o in report.outputs} == {"y": 0.0, "best": 0.0}
    assert all(o.settled for o in report.outputs)
    assert report.outputs[0].top1_agreement == 1.0


def test_one_verifier_judges_several_candidates(tmp_path: Path) -> None:
    before = save_graph(tmp_path / "a.pb", dense())
    doubled = save_graph(tmp_path / "b.pb", dense(scale=2))
    changed = save_graph(tmp_path / "c.pb", dense(weight=1e-3))
    tiny = save_graph(tmp_path / "d.pb", dense(weight=1e-7))
    with Verifier(read(before, ReadOptions(output_names=("y",))), VerifyOptions()) as verifier:
        verifier.start()
        assert verifier.compare(before).ok
        report = verifier.compare(doubled)
        assert not report.ok
        assert "largest difference" in report.outputs[0].note
        assert report.outputs[0].max_ulp > 1000
        assert not verifier.compare(changed).ok
        assert verifier.compare(tiny).ok


def test_an_output_of_a_damaged_candidate_fails(tmp_path: Path) -> None:
    before = save_graph(tmp_path / "a.pb", dense())
    other = save_graph(tmp_path / "b.pb", lambda tf: tf.compat.v1.placeholder(tf.float32, name="x"))
    report = verify(before, other, NAMES)
    assert not report.ok
    assert "the original accepts these inputs" in report.outputs[0].note


@pytest.fixture(scope="module")
def odd_outputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, OutputDifference]:
    """One model with everything that is awkward, against itself."""

    def build(tf: object) -> None:
        x = tf.compat.v1.placeholder(tf.float32, [None, 3], name="x")
        keep = tf.compat.v1.placeholder(tf.float32, [], name="keep_prob")
        ids = tf.compat.v1.placeholder(tf.int32, [None, 4], name="ids")
        table = tf.constant(np.arange(6, dtype=np.float32).reshape(3, 2))
        tf.add(x, tf.random.uniform([3]), name="noisy")
        tf.math.log(-tf.abs(x) - 1.0, name="nan")
        tf.identity(x * 2.0, name="y")
        tf.identity(x / keep * tf.floor(tf.random.uniform([3]) + keep), name="dropped")
        tf.identity(tf.gather(table, tf.reshape(ids, [-1])), name="rows")
        tf.strings.join([tf.compat.v1.placeholder(tf.string, [None], name="text"), "!"], name="joined")

    before = save_graph(tmp_path_factory.mktemp("odd") / "a.pb", build)
    names = ("noisy", "nan", "y", "dropped", "rows", "joined")
    with Verifier(read(before, ReadOptions(output_names=names))) as verifier:
        ids = next(i for i in verifier._originals[0].specs["serving_default"].inputs if i.key == "ids")
        assert ids.below == 3
        report = verifier.compare(before)
    assert report.ok, report.notes
    return {o.output: o for o in report.outputs}


@pytest.mark.parametrize(
    ("output", "settled", "says"),
    [
        ("noisy", False, "random"),
        ("nan", False, "NaN"),
        ("y", True, ""),
        (
            "dropped",
            True,
            "random: the original does not answer the same twice for some inputs",
        ),  # settled where keep_prob is 1
        ("rows", True, ""),
        ("joined", True, ""),
    ],
)
def test_what_no_input_settles_is_said(
    odd_outputs: dict[str, OutputDifference], output: str, settled: bool, says: str
) -> None:
    assert odd_outputs[output].settled == settled
    assert says in odd_outputs[output].note
    assert bool(says) == bool(odd_outputs[output].note)


def test_inputs_that_the_original_always_refuses_prove_nothing(tmp_path: Path) -> None:
    def build(tf: object) -> None:
        x = tf.compat.v1.placeholder(tf.float32, [None, 3], name="x")
        with tf.control_dependencies([tf.compat.v1.Assert(tf.reduce_all(x > 1000.0), ["too small"])]):
            tf.identity(x, name="y")

    before = save_graph(tmp_path / "a.pb", build)
    report = verify(before, before, NAMES)
    assert not report.ok
    assert report.feeds == 0
    assert "no input could be found" in report.notes[-1]
    assert "--data" in report.notes[-1]
    expressed = VerifyOptions(input_names=("x",), output_names=("y",), input_exprs="x=full((2, 3), 2000.)")
    assert verify(before, before, expressed).ok


def test_given_data_is_used_in_chunks(tmp_path: Path) -> None:
    before = save_graph(tmp_path / "a.pb", dense())
    np.savez(tmp_path / "d.npz", x=np.random.default_rng(0).normal(size=(70, 3)))
    report = verify(before, before, VerifyOptions(output_names=("y",), data=tmp_path / "d.npz"))
    assert report.ok
    assert report.feeds == 3


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("z=[1.]", "Known: 'x'"),
        ("x=[1.]", "shape"),
        ("x=['a']", "takes float32"),
        ("serving_defautl/x=[[1., 2., 3.]]", "serving_default/x"),
        ("x=__import__('os')", "refused"),
    ],
)
def test_wrong_inputs_are_refused_with_a_hint(tmp_path: Path, expression: str, says: str) -> None:
    models = read(save_graph(tmp_path / "a.pb", dense()), ReadOptions(output_names=("y",)))
    with pytest.raises(UsageError, match=says):
        Verifier(models, VerifyOptions(input_exprs=expression))


def test_closing_ends_the_work_that_is_under_way(tmp_path: Path) -> None:
    before = save_graph(tmp_path / "a.pb", dense())
    with Verifier(read(before, ReadOptions(output_names=("y",)))) as verifier:
        verifier.start()
        while verifier._runner is None:
            time.sleep(0.01)
        pid = verifier._runner.pid
    assert not verifier._thread.is_alive()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


# -- real models ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "signatures"),
    [
        ("tf1_embedding/saved_model", 2),
        ("tf1_estimator_dnn_text/saved_model", 4),
        ("tf1_hub_module/module", 2),
    ],
)
def test_session_style_models_are_settled(name: str, signatures: int) -> None:
    report = verify(FIXTURES / name, FIXTURES / name, VerifyOptions(tolerance=0))
    assert report.ok, report.notes
    assert len({o.signature for o in report.outputs}) == signatures
    assert all(o.settled for o in report.outputs), report.outputs


def test_sparse_ids_reach_every_partition_of_their_table() -> None:
    (model,) = read(FIXTURES / "tf1_embedding/saved_model")
    with Verifier([model]) as verifier:
        specs = {i.key: i for i in verifier._originals[0].specs["serving_default"].inputs}
    assert specs["items"].is_sparse
    assert specs["items"].below == 2000


def test_examples_are_built_for_models_that_parse_them() -> None:
    (model,) = read(FIXTURES / "tf1_estimator_dnn_text/saved_model")
    with Verifier([model]) as verifier:
        (spec,) = verifier._originals[0].specs["serving_default"].inputs
    assert spec.kind == "example"
    assert {f.key for f in spec.features} == {"body", "subject"}


def test_a_checkpoint_that_does_not_import_whole_is_verified() -> None:
    prefix = FIXTURES / "tf1_mnist_convnet/checkpoint/model.ckpt-936"
    frozen = FIXTURES / "tf1_mnist_convnet/frozen.pb"
    options = VerifyOptions(input_names=("images",), output_names=("probabilities",))
    report = verify(prefix, frozen, options)
    assert report.ok, report.outputs


def stateful(path: Path, weight: float) -> Path:
    import tensorflow as tf

    class Counter(tf.Module):
        def __init__(self) -> None:
            self.weight, self.calls = tf.Variable(weight), tf.Variable(0.0)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
        def step(self, x):
            return {"y": x * self.weight + self.calls.assign_add(1.0)}

    module = Counter()
    tf.saved_model.save(module, str(path), signatures=module.step)
    return path


def test_a_changed_variable_is_found_although_calls_change_the_state(tmp_path: Path) -> None:
    before = stateful(tmp_path / "a", 1.0)
    with Verifier(read(before)) as verifier:
        assert verifier._originals[0].is_stateful
        assert verifier.compare(before).ok
        assert not verifier.compare(stateful(tmp_path / "b", 1.001)).ok


def test_stateful_models_run_the_same_calls_from_a_fresh_start() -> None:
    path = FIXTURES / "tf2_stateful/saved_model"
    report = verify(path, path, VerifyOptions(tolerance=0))
    assert report.ok, report.outputs
    assert all(o.settled for o in report.outputs), report.outputs


# -- the child process ----------------------------------------------------------------------------------------------

_SIGNATURE = {
    "serving_default": Signature(
        "serving_default",
        {"x": TensorInfo(("x:0",), dtype("float32"), Shape((None, 3)))},
        {"y": TensorInfo(("y:0",), dtype("float32"), Shape((None, 4)))},
    )
}
_RECURSIVE = """
node { name: "x" op: "Placeholder" attr { key: "dtype" value { type: DT_FLOAT } } }
node { name: "y" op: "PartitionedCall" input: "x" attr { key: "Tin" value { list { type: DT_FLOAT } } }
  attr { key: "Tout" value { list { type: DT_FLOAT } } } attr { key: "f" value { func { name: "f" } } } }
library { function { signature { name: "f" input_arg { name: "a" type: DT_FLOAT }
    output_arg { name: "r" type: DT_FLOAT } }
  node_def { name: "c" op: "PartitionedCall" input: "a" attr { key: "Tin" value { list { type: DT_FLOAT } } }
    attr { key: "Tout" value { list { type: DT_FLOAT } } } attr { key: "f" value { func { name: "f" } } } }
  ret { key: "r" value: "c:output:0" } } }
versions { producer: 1882 }
"""


def test_a_model_that_kills_its_process_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "bad.pbtxt").write_text(_RECURSIVE)  # endless recursion: the kernel overruns its stack
    says = r"The process in which .*bad.pbtxt .*was ended by SIG\w+. Its last words: \w+"
    with (
        ModelRunner(tmp_path / "bad.pbtxt", form="graphdef", signatures=_SIGNATURE) as runner,
        pytest.raises(ModelCrashed, match=says),
    ):
        runner.run("serving_default", {"x": np.ones((1, 3), np.float32)})


def test_a_candidate_that_crashes_has_failed(tmp_path: Path) -> None:
    before = save_graph(tmp_path / "a.pb", dense())
    (tmp_path / "bad.pbtxt").write_text(_RECURSIVE)
    report = verify(before, tmp_path / "bad.pbtxt", NAMES)
    assert not report.ok
    assert "was ended by SIG" in report.outputs[0].note


def test_the_runner_tells_refusals_from_crashes_and_restarts(tmp_path: Path) -> None:
    path = save_graph(tmp_path / "a.pb", dense())
    feeds = {"x": np.ones((2, 3), np.float32)}
    with ModelRunner(path, form="graphdef", signatures=_SIGNATURE) as runner:
        first = runner.run("serving_default", feeds)["y"]
        with pytest.raises(RunRefused, match="refuses the inputs of 'serving_default'"):
            runner.run("serving_default", {"x": np.ones((2, 5), np.float32)})
        with pytest.raises(UsageError, match="Did you mean 'serving_default'"):
            runner.run("serving_defalt", feeds)
        os.kill(runner.pid, signal.SIGABRT)
        with pytest.raises(ModelCrashed, match="ran signature 'serving_default' was ended by SIGABRT"):
            runner.run("serving_default", feeds)
        runner.restart()
        np.testing.assert_array_equal(runner.run("serving_default", feeds)["y"], first)
        pid = runner.pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_run_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    path = save_graph(tmp_path / "a.pb", dense())
    with (
        ModelRunner(path, form="graphdef", signatures=_SIGNATURE, timeout_s=0.05) as runner,
        pytest.raises(ModelCrashed, match="did not answer"),
    ):
        runner.wait_until_loaded()


def test_the_child_sees_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setenv("MY_API_TOKEN", "x")
    monkeypatch.setenv("HARMLESS", "x")
    environment = child_environment()
    assert "AWS_SECRET_ACCESS_KEY" not in environment
    assert "MY_API_TOKEN" not in environment
    assert environment["HARMLESS"] == "x"


# -- the original's own rounding ------------------------------------------------------------------------------------


@pytest.mark.parametrize("chosen", [None, "0", "1"])
def test_other_kernels_are_other_ones(chosen, monkeypatch):
    """Whether oneDNN is on depends on the CPU where nobody chooses; the child has to be on the other side."""
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    if chosen is not None:
        monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", chosen)
    asked = "from tfpare.io.start import onednn_is_on\nfrom tfpare.execution import Runtime\n"
    asked += "print(onednn_is_on(), Runtime.OTHER_KERNELS.environment()['TF_ENABLE_ONEDNN_OPTS'])"
    done = subprocess.run([sys.executable, "-c", asked], check=True, capture_output=True, text=True)
    was_on, other = done.stdout.split()
    assert (was_on, other) in [("True", "0"), ("False", "1")]
    assert chosen is None or was_on == str(chosen == "1")


def test_an_amplified_rounding_is_allowed_when_the_original_has_it_too(tmp_path):
    """y = exp(40·conv chain): the original differs from itself with other kernels by more than the usual tolerance."""
    before, after = _amplifier(tmp_path / "before.pb", split=False), _amplifier(tmp_path / "after.pb", split=True)
    names = {"input_names": ("x",), "output_names": ("y",)}
    report = verify(before, after, VerifyOptions(**names))
    assert report.ok, report.notes
    if report.max_rel > 1e-5:
        assert report.outputs[0].tolerance > 1e-5
        assert "other kernels" in report.outputs[0].note
    assert not verify(before, after, VerifyOptions(**names, tolerance=1e-9)).ok


def _amplifier(path, *, split):
    import tensorflow as tf

    rng = np.random.default_rng(0)
    kernel = rng.normal(0, 0.05, (3, 3, 64, 64)).astype(np.float32)
    scale = np.float32(3.0)
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, (None, 16, 16, 64), name="x")
        value = x
        for _ in range(4):
            if split:
                value = tf.nn.conv2d(value, kernel * scale, 1, "SAME") / scale
            else:
                value = tf.nn.conv2d(value, kernel, 1, "SAME")
        tf.exp(tf.tanh(value) * 40.0 - 40.0, name="y")
    path.write_bytes(graph.as_graph_def().SerializeToString())
    return path


def test_optimize_says_that_nothing_could_be_compared(tmp_path: Path) -> None:
    def build(tf: object) -> None:
        x = tf.compat.v1.placeholder(tf.float32, [None, 3], name="x")
        with tf.control_dependencies([tf.compat.v1.Assert(tf.reduce_all(x > 1e30), ["too small"])]):
            tf.identity(x * 2.0, name="y")

    before = save_graph(tmp_path / "a.pb", build)
    options = OptimizeOptions(input_names=("x",), output_names=("y",))
    with pytest.raises(VerificationError, match=r"could not be found out.*--no-verify"):
        optimize(before, tmp_path / "out.pb", options)
    assert not (tmp_path / "out.pb").exists()
