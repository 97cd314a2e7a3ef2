"""One candidate against the original's answers: every signature, every output, every input that was accepted."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from tfpare.differences import difference, tolerance_of
from tfpare.errors import TfpareError, nearest
from tfpare.execution import ModelCrashed, ModelRunner, RunRefused
from tfpare.ir.model import Signature
from tfpare.ir.types import Array, dtype_of
from tfpare.proof import Budget, OutputDifference, VerifyOptions, VerifyReport
from tfpare.reference import Answer, Original, SignatureReference

# Two roundings of one function are about as far from each other as from the true value; the largest of many differences
# was up to 2.3 times the original's own on the networks that we measured.
ROUNDINGS = 4.0


@dataclass(slots=True)
class _Tally:
    """One output over all inputs."""

    result: OutputDifference
    same_top1: int = 0
    rows: int = 0
    equal: int = 0
    entries: int = 0
    signal: float = 0.0
    noise: float = 0.0
    settled: int = 0
    random: int = 0
    problems: list[str] = field(default_factory=list[str])
    unequal: list[str] = field(default_factory=list[str])


@dataclass(slots=True)
class CandidateAnswers:
    """What a candidate answered to the inputs that the original accepted.

    Attributes:
        signatures: that the candidate has.
        failure: why it does not load.
        outputs: by signature, in the order of the original's answers, up to the first refusal.
        refusals: by signature, why it refused.
    """

    signatures: dict[str, Signature]
    failure: str = ""
    outputs: dict[str, list[dict[str, Array]]] = field(default_factory=dict[str, list[dict[str, Array]]])
    refusals: dict[str, str] = field(default_factory=dict[str, str])


def ask(runner: ModelRunner, original: Original, references: list[SignatureReference]) -> CandidateAnswers:
    """Runs a candidate on the inputs that the original accepted."""
    answers = CandidateAnswers(runner.signatures)
    try:
        runner.wait_until_loaded()
    except TfpareError as error:
        answers.failure = str(error)
        return answers
    for reference in references:
        if _missing(answers, original.signatures[reference.name]):
            continue
        outputs = answers.outputs.setdefault(reference.name, [])
        try:
            for answer in reference.answers:
                outputs.append(runner.run(reference.name, answer.feeds))
        except (RunRefused, ModelCrashed) as error:
            answers.refusals[reference.name] = str(error)
            if isinstance(error, ModelCrashed):
                runner.restart()
    return answers


def compare_model(
    answers: CandidateAnswers,
    original: Original,
    references: list[SignatureReference],
    options: VerifyOptions,
    label: str,
    report: VerifyReport,
) -> None:
    """Adds to the report how a candidate answers; a candidate that does not load or run has failed every output.

    Args:
        answers: of the candidate.
        original: what it stands in for.
        references: the original's answers.
        options: what is allowed.
        label: shown behind signature names.
        report: gets the outcome.
    """
    for reference in references:
        signature = original.signatures[reference.name]
        missing = answers.failure or _missing(answers, signature)
        if missing:
            _fail(report, signature, label, missing, settled=True)
        elif not reference.answers:
            _fail(report, signature, label, _no_input(reference), settled=False)
        else:
            _compare(answers, reference, options, label, report)


def _missing(answers: CandidateAnswers, signature: Signature) -> str:
    """What the candidate's signature lacks."""
    other = answers.signatures.get(signature.name)
    if other is None:
        return f"the signature is missing.{nearest(signature.name, answers.signatures)}"
    for what, mine, theirs in (
        ("input", signature.inputs, other.inputs),
        ("output", signature.outputs, other.outputs),
    ):
        for key in sorted(mine.keys() - theirs.keys()):
            return f"the {what} {key!r} is missing.{nearest(key, theirs)}"
    for key in sorted(other.inputs.keys() - signature.inputs.keys()):
        return f"the input {key!r} is new: callers do not give it"
    return ""


def _no_input(reference: SignatureReference) -> str:
    if reference.was_given:
        return f"the original refuses the given inputs: {reference.refusal}"
    return f"no input could be found that the original accepts; give --data. Last refusal: {reference.refusal}"


def _fail(report: VerifyReport, signature: Signature, label: str, note: str, *, settled: bool) -> None:
    for key, info in signature.outputs.items():
        report.outputs.append(
            OutputDifference(signature.name + label, key, info.dtype.name, ok=False, settled=settled, note=note)
        )
    report.notes.append(f"signature {signature.name!r}{label}: {note}")


def _compare(
    answers: CandidateAnswers, reference: SignatureReference, options: VerifyOptions, label: str, report: VerifyReport
) -> None:
    budget, tolerance = options.budget, options.tolerance
    if budget is not None and tolerance is None:
        tolerance = budget.max_rel
    tallies = {
        key: _Tally(OutputDifference(reference.name + label, key, dtype_of(array).name, ok=True))
        for key, array in reference.answers[0].first.items()
    }
    for answer, outputs in zip(reference.answers, answers.outputs[reference.name], strict=False):
        report.feeds += 1
        for key, tally in tallies.items():
            _count(tally, reference, answer, key, outputs.get(key), tolerance)
    refusal = answers.refusals.get(reference.name)
    for tally in tallies.values():
        if refusal is not None:
            tally.problems.append(f"the original accepts these inputs, but: {refusal}")
            tally.settled += 1
        if budget is not None:
            _judge_loss(tally, budget, chosen=options.tolerance is not None)
        tally.problems += tally.unequal
        _finish(tally, tolerance)
        report.outputs.append(tally.result)


def _count(
    tally: _Tally, reference: SignatureReference, answer: Answer, key: str, after: Array | None, tolerance: float | None
) -> None:
    before = answer.first[key]
    tolerance = _allowed(reference, key, before, tolerance)
    tally.result.tolerance = max(tally.result.tolerance, tolerance)
    if after is None:
        tally.problems.append("the candidate does not give this output")
        return
    found = difference(before, after, tolerance)
    if any(difference(before, again[key], tolerance).problem for again in answer.again):
        tally.random += 1
        kind_differs = before.dtype != after.dtype or before.ndim != after.ndim
        tally.problems += [found.problem] if kind_differs else []
        return
    tally.settled += found.informative
    if found.problem:
        (tally.unequal if found.entries else tally.problems).append(found.problem)
    result = tally.result
    result.max_abs = max(result.max_abs, found.max_abs)
    result.max_rel = max(result.max_rel, found.max_rel)
    result.max_ulp = max(result.max_ulp, found.max_ulp)
    tally.same_top1 += found.same_top1
    tally.rows += found.rows
    tally.equal += found.equal
    tally.entries += found.entries
    tally.signal += found.signal
    tally.noise += found.noise


def _judge_loss(tally: _Tally, budget: Budget, *, chosen: bool) -> None:
    """The demands of a budget that no single input can answer; a tolerance of the user replaces that of SQNR."""
    if tally.unequal and tally.equal >= budget.min_agreement * tally.entries:
        tally.result.note = f"{tally.entries - tally.equal} of {tally.entries} entries differ"
        tally.unequal.clear()
    sqnr = _sqnr_db(tally)
    if not chosen and sqnr is not None and sqnr < budget.min_sqnr_db:
        tally.problems.append(f"SQNR {sqnr:.1f} dB, at least {budget.min_sqnr_db:g} dB is wanted of {budget.reason}")
    if tally.rows >= budget.min_rows and tally.same_top1 < budget.min_agreement * tally.rows:
        share = f"{tally.same_top1} of {tally.rows} rows"
        tally.problems.append(f"the same top class in {share}, {budget.min_agreement:.0%} is wanted of {budget.reason}")


def _sqnr_db(tally: _Tally) -> float | None:
    """10·log10(Σa² / Σ(a−b)²)."""
    if not (tally.noise > 0 and tally.signal > 0 and math.isfinite(tally.signal) and math.isfinite(tally.noise)):
        return None
    return 10 * math.log10(tally.signal / tally.noise)


def _allowed(reference: SignatureReference, key: str, before: Array, tolerance: float | None) -> float:
    """The tolerance for one output: more than the usual where the original's own rounding is known to be larger."""
    usual = tolerance_of(dtype_of(before).name, tolerance)
    return usual if tolerance is not None or not usual else max(usual, ROUNDINGS * reference.rounding.get(key, 0.0))


def _finish(tally: _Tally, tolerance: float | None) -> None:
    result = tally.result
    usual = tolerance_of(result.dtype, tolerance)
    if result.tolerance > usual:
        own = result.tolerance / ROUNDINGS
        result.note = f"the original differs from itself by {own:.1e} with other kernels (oneDNN on or off)"
    result.tolerance = max(result.tolerance, usual)
    result.sqnr_db = _sqnr_db(tally)
    result.top1_agreement = tally.same_top1 / tally.rows if tally.rows else None
    result.ok = not tally.problems
    result.settled = tally.settled > 0
    if tally.problems:
        result.note = tally.problems[0]
    elif tally.random:
        some = "" if not result.settled else " for some inputs"
        result.note = f"random: the original does not answer the same twice{some}"
    elif not result.settled:
        result.note = "empty or NaN everywhere in the original: no input settles it"
