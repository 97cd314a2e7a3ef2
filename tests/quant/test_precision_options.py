"""`--precision` and `--force`: refusals, recipes, budgets of the proof, and whole models that stay drop-ins."""

from pathlib import Path

import numpy as np
import pytest

from tests.quant.precision import NO_BF16
from tfpare.api import OptimizeOptions, optimize
from tfpare.comparison import CandidateAnswers, compare_model
from tfpare.errors import UnsupportedMachine, UsageError, VerificationError
from tfpare.passes.base import PassOptions
from tfpare.pipeline import make_pipeline
from tfpare.precision import cpu
from tfpare.precision.budget import budget_of
from tfpare.precision.cpu import cpu_flags, missing_instructions
from tfpare.proof import Budget, VerifyOptions, VerifyReport
from tfpare.recipe import make_recipe
from tfpare.reference import Answer, SignatureReference

FIXTURES = Path(__file__).resolve().parents[1] / "data" / "fixtures"


# -- the machine ------------------------------------------------------------------------------------------------------


def test_flags_are_those_of_the_first_cpu(tmp_path):
    info = tmp_path / "cpuinfo"
    info.write_text("processor\t: 0\nflags\t\t: fpu avx512_bf16 amx_bf16\n\nprocessor\t: 1\nflags\t\t: fpu\n")
    assert cpu_flags(info) == {"fpu", "avx512_bf16", "amx_bf16"}
    info.write_text("processor\t: 0\nFeatures\t: fp asimd\n")
    assert cpu_flags(info) is None
    assert cpu_flags(tmp_path / "none") is None


@pytest.mark.parametrize("flag", ["avx512_bf16", "amx_bf16"])
def test_either_instruction_set_is_enough(flag):
    assert missing_instructions("bf16", frozenset({"avx2", flag})) == ""


def test_says_which_instructions_are_missing():
    assert missing_instructions("bf16", frozenset({"avx512f"})) == (
        "AVX512_BF16 or AMX_BF16 is not among this CPU's instructions"
    )
    assert "does not say" in missing_instructions("bf16", None)
    assert missing_instructions("fp16", frozenset()) == missing_instructions("keep", None) == ""


def test_refuses_bf16_without_the_instructions(tmp_path, monkeypatch):
    monkeypatch.setattr(cpu, "cpu_flags", lambda: frozenset({"avx2"}))
    model, out = FIXTURES / "tf2_keras_mnist" / "saved_model", tmp_path / "out"
    with pytest.raises(UnsupportedMachine, match=r"slower than in float32. Use --force"):
        optimize(model, out, OptimizeOptions(precision="bf16"))
    assert not out.exists()
    assert optimize(model, out, OptimizeOptions(precision="bf16", force=True, verify=False)).output == out


# -- what is asked for ------------------------------------------------------------------------------------------------


def test_recipe_keys():
    options = make_recipe({"precision": "bf16", "force": True}, "r").options()
    assert (options.precision, options.force) == ("bf16", True)
    assert make_recipe({}, "r").options().precision == "keep"
    with pytest.raises(UsageError, match="precision"):
        make_recipe({"precision": "fp8"}, "r")


def test_an_unknown_precision_is_refused():
    with pytest.raises(UsageError, match="no precision 'half'"):
        PassOptions(precision="half")


@pytest.mark.parametrize(("precision", "name"), [("bf16", "compute_in_bfloat16"), ("fp16", "store_as_float16")])
def test_only_the_pass_that_was_asked_for_is_in_the_pipeline(precision, name):
    lossy = {"compute_in_bfloat16", "store_as_float16", "compute_in_float32"}
    assert not lossy & {p.name for p in make_pipeline().passes}
    made = make_pipeline(options=PassOptions(precision=precision))
    assert lossy & {p.name for p in made.passes} == {name}
    for refused in ({"preset": "exact"}, {"disable": [name]}, {"only": ["fold_constants"]}):
        with pytest.raises(UsageError, match="needs the pass"):
            make_pipeline(options=PassOptions(precision=precision), **refused)


# -- the proof --------------------------------------------------------------------------------------------------------


class _Signature:
    name, inputs, outputs = "s", {}, {}


class _Original:
    signatures = {"s": _Signature()}  # noqa: RUF012 - never changed


def judged(before: np.ndarray, after: np.ndarray, budget: Budget | None, tolerance: float | None = None):
    reference = SignatureReference("s")
    reference.answers.append(Answer({}, {"y": before}, []))
    answers = CandidateAnswers({"s": _Signature()}, outputs={"s": [{"y": after}]})  # type: ignore[arg-type]
    report = VerifyReport(ok=True)
    options = VerifyOptions(budget=budget, tolerance=tolerance)
    compare_model(answers, _Original(), [reference], options, "", report)  # type: ignore[arg-type]
    return report.outputs[0]


def test_sqnr_is_reported_and_demanded():
    budget = Budget("bf16", max_rel=0.5, min_sqnr_db=20, min_agreement=0.98)
    before = np.ones((2, 3), np.float32)
    close, far = judged(before, before * np.float32(1.01), budget), judged(before, before * np.float32(1.2), budget)
    assert close.ok
    assert close.sqnr_db == pytest.approx(40, abs=0.1)
    assert not far.ok
    assert far.note == "SQNR 14.0 dB, at least 20 dB is wanted of bf16"
    assert judged(before, before * np.float32(1.2), budget, tolerance=0.3).ok  # the user's own tolerance
    assert judged(before, before, budget).sqnr_db is None


def test_top_classes_count_where_there_are_enough():
    rng = np.random.default_rng(0)
    before = rng.normal(size=(100, 10)).astype(np.float32)
    after = before.copy()
    after[:5] = np.roll(after[:5], 1, axis=1)
    budget = Budget("bf16", max_rel=10, min_sqnr_db=-10, min_agreement=0.98)
    assert judged(before, after, budget).note == "the same top class in 95 of 100 rows, 98% is wanted of bf16"
    assert judged(before[:10], after[:10], budget).ok
    assert judged(before, before, budget).ok


def test_integers_may_differ_as_rarely_as_classes():
    before = np.arange(100)
    one, many = before.copy(), before.copy()
    one[3], many[:5] = 0, -1
    budget = budget_of("bf16")
    assert judged(before, one, budget).ok
    assert judged(before, one, budget).note == "1 of 100 entries differ"
    assert not judged(before, many, budget).ok
    assert not judged(before, one, None).ok


@pytest.mark.parametrize("precision", ["bf16", "fp16", "fp32"])
def test_wrong_answers_are_beyond_every_budget(precision):
    before = np.random.default_rng(0).normal(size=(4, 10)).astype(np.float32)
    assert not judged(before, 2 * before, budget_of(precision)).ok
    assert not judged(before, np.roll(before, 1, axis=0), budget_of(precision)).ok


# -- whole models -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def network(tmp_path_factory) -> Path:
    """A SavedModel with a convolution, a loop in a function of its own, and a softmax."""
    import tensorflow as tf

    class Network(tf.Module):
        def __init__(self) -> None:
            rng = np.random.default_rng(0)
            self.kernel = tf.Variable(rng.normal(0, 0.06, (3, 3, 32, 64)).astype(np.float32))
            self.mixing = tf.Variable(rng.normal(0, 0.06, (256, 256)).astype(np.float32))
            self.dense = tf.Variable(rng.normal(0, 0.1, (64, 10)).astype(np.float32))

        @tf.function(input_signature=[tf.TensorSpec([None, 16, 16, 32], name="image")])
        def __call__(self, image):
            x = tf.nn.relu(tf.nn.conv2d(image, self.kernel, 1, "SAME"))
            rows = tf.reshape(x, [-1, 256])
            _, rows = tf.while_loop(lambda i, v: i < 2, lambda i, v: (i + 1, tf.tanh(v @ self.mixing)), [0, rows])
            means = tf.reduce_mean(tf.reshape(rows, [-1, 256, 64]), 1)
            scores = tf.nn.softmax(means @ self.dense)
            return {"scores": scores, "features": x}

    path, module = tmp_path_factory.mktemp("network") / "model", Network()
    tf.saved_model.save(module, str(path), signatures=module.__call__)
    return path


@NO_BF16
def test_a_bf16_model_stays_a_drop_in(network, tmp_path):
    import tensorflow as tf

    report = optimize(network, tmp_path / "out", OptimizeOptions(precision="bf16"))
    assert report.verification is not None
    assert report.verification.ok
    assert all(o.sqnr_db is not None and 30 < o.sqnr_db < 80 for o in report.verification.outputs)
    assert report.after.weight_bytes < 0.52 * report.before.weight_bytes
    assert [n.split(",")[0] for n in report.notes if n.startswith("bfloat16")] == [
        "bfloat16: 4 of 6 convolutions and matrix products"  # in the signature and in the object: image and loop
    ]
    image = np.random.default_rng(1).normal(size=(5, 16, 16, 32)).astype(np.float32)
    loaded = tf.saved_model.load(str(tmp_path / "out"))
    assert {k: v.dtype for k, v in loaded(image).items()} == {"scores": tf.float32, "features": tf.float32}
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        meta = tf.compat.v1.saved_model.load(session, ["serve"], str(tmp_path / "out"))
        info = meta.signature_def["serving_default"]
        got = session.run(info.outputs["scores"].name, {info.inputs["image"].name: image})
    np.testing.assert_allclose(got, loaded(image)["scores"], atol=0.02)


@NO_BF16
def test_a_frozen_graph_in_bf16(network, tmp_path):
    report = optimize(network, tmp_path / "out.pb", OptimizeOptions(precision="bf16"))
    assert report.verification is not None
    assert report.verification.ok
    assert report.after.ops["Cast"] >= 2


@NO_BF16
def test_there_and_back(network, tmp_path):
    optimize(network, tmp_path / "narrow", OptimizeOptions(precision="bf16"))
    report = optimize(tmp_path / "narrow", tmp_path / "wide", OptimizeOptions(precision="fp32"))
    assert report.verification is not None
    assert report.verification.ok
    assert "Cast" not in report.after.ops


@pytest.mark.parametrize("fixture", ["tf1_mnist_convnet", "tf2_keras_mnist", "tf2_bert_tiny", "tf2_functional_cf"])
@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_small_models_are_proven_as_well(tmp_path, fixture, precision):
    options = OptimizeOptions(precision=precision, force=True)
    report = optimize(FIXTURES / fixture / "saved_model", tmp_path / "out", options)
    assert report.verification is not None
    assert report.verification.ok


def test_a_tolerance_of_zero_fails_and_names_the_pass(tmp_path):
    options = OptimizeOptions(precision="fp16", verification=VerifyOptions(tolerance=0.0))
    with pytest.raises(VerificationError, match="First difference after"):
        optimize(FIXTURES / "tf2_keras_mnist" / "saved_model", tmp_path / "out", options)
