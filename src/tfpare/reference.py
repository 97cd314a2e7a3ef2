"""The original's answers: which inputs it accepts, what it answers, and whether it answers the same twice."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tfpare.execution import ModelCrashed, ModelRunner, RunRefused, Runtime, Worker
from tfpare.feeds import given
from tfpare.feeds.draw import Plan, draw, plans, variants
from tfpare.feeds.hints import describe
from tfpare.feeds.spec import SignatureSpec
from tfpare.ir.model import Model
from tfpare.ir.types import Array

_SEARCH_S = (
    90.0  # for finding inputs that one signature accepts; each refusal takes milliseconds, a compilation seconds
)
_MOST_CRASHES = 2  # a model that keeps aborting is not going to be proven
_RANDOM_REPEATS = 8  # random masks and indices can be the same twice by chance, hardly nine times
_WRITES = (
    *("Assign", "ResourceScatter", "ResourceApply", "ScatterUpdate", "ScatterAdd", "ScatterNd", "LookupTableInsert"),
    *("RngReadAndSkip", "RngSkip", "StatefulUniform", "StatefulStandardNormal", "StatefulTruncatedNormal"),
)
_NO_WRITES = ("ScatterNd", "ScatterNdNonAliasingAdd")  # these only look like it
_RANDOM = ("Random", "Multinomial", "TruncatedNormal", "ParameterizedTruncatedNormal", "NonDeterministicInts")
_RANDOM_ENDINGS = ("CandidateSampler", "DistortedBoundingBox", "DistortedBoundingBoxV2")


@dataclass(slots=True)
class Answer:
    """Inputs and what the original answers to them, and answers when it is asked again."""

    feeds: dict[str, Array]
    first: dict[str, Array]
    again: list[dict[str, Array]] = field(default_factory=list[dict[str, Array]])


@dataclass(slots=True)
class SignatureReference:
    """What is known of one signature.

    Attributes:
        answers: to accepted inputs, in the order of the calls.
        refusal: why the original refused the last input that was tried.
        was_given: whether the user gave the inputs.
        rounding: by output, how far the original is apart from itself with other kernels, relative to the output's
            largest magnitude, over all inputs; filled in when it is wanted.
    """

    name: str
    answers: list[Answer] = field(default_factory=list[Answer])
    refusal: str = ""
    was_given: bool = False
    rounding: dict[str, float] = field(default_factory=dict[str, float])


class Original:
    """One MetaGraph of the original: what has to be known of it before its graphs are rewritten.

    Attributes:
        runtime: in which it and its candidates run where that is another than the verifier's.

    Args:
        model: as read.
        arrays: that the user gave, by key.
        batches: batch sizes to draw.
        seed: of the drawn inputs.
    """

    def __init__(self, model: Model, arrays: Mapping[str, Array], batches: tuple[int, ...], seed: int) -> None:
        self.path, self.form, self.tags = model.path, model.form, model.tags
        self.signatures = dict(model.signatures)
        self.specs = {n: describe(model, s) for n, s in model.signatures.items()}
        self.is_stateful, self.is_random = writes_state(model), draws_random_numbers(model)
        self._batches, self._seed = batches or (1,), seed
        self._given = {n: given.for_signature(s, arrays) for n, s in self.specs.items()}
        self._crashes = 0
        self.needs_session = False
        self.runtime: Runtime | None = None

    def runner(self, worker: Worker | None = None, runtime: Runtime = Runtime.STOCK) -> ModelRunner:
        """A child that loads the original."""
        return ModelRunner(
            self.path,
            form=self.form,
            tags=self.tags,
            signatures=self.signatures,
            worker=worker,
            runtime=runtime,
            may_use_session=True,
        )

    def answers(self, runner: ModelRunner, progress: Callable[[str], None]) -> list[SignatureReference]:
        """Finds inputs, runs the original on them, twice.

        Raises:
            RunRefused: TensorFlow cannot load the model.
            ModelCrashed: the model keeps aborting.
        """
        runner.wait_until_loaded()
        self.needs_session = runner.in_session and self.form == "saved_model_v2"
        found: list[SignatureReference] = []
        for name, spec in self.specs.items():
            progress(f"the original's answers: {name}")
            found.append(self._of_signature(runner, spec))
        if self.is_stateful:
            self._replay(runner, found, lambda answer, outputs: answer.first.update(outputs))
        for _ in range(_RANDOM_REPEATS if self.is_random else 1):
            self._replay(runner, found, lambda answer, outputs: answer.again.append(outputs))
        return found

    def _replay(
        self,
        runner: ModelRunner,
        found: list[SignatureReference],
        store: Callable[[Answer, dict[str, Array]], None],
    ) -> None:
        """The same calls in the same order; from a fresh start where calls change the model's variables."""
        if self.is_stateful:
            runner.reset()
        for reference in found:
            for answer in list(reference.answers):
                try:
                    store(answer, runner.run(reference.name, answer.feeds))
                except RunRefused as error:  # accepted once, refused now: nothing that could be relied on
                    reference.refusal = str(error)
                    reference.answers.remove(answer)

    def _of_signature(self, runner: ModelRunner, spec: SignatureSpec) -> SignatureReference:
        reference = SignatureReference(spec.name)
        feeds = self._given[spec.name]
        if feeds is not None:
            reference.was_given = True
            for one in feeds:
                self._ask(runner, reference, one)
            return reference
        plan = self._find(runner, spec, reference)
        if plan is None or not spec.inputs:
            return reference
        has_batch = any(i.has_free_batch for i in spec.inputs)
        for batch in self._batches[1:] if has_batch else ():
            self._ask(runner, reference, draw(spec, plan, batch, 0, self._seed))
        for variant in range(1, variants(spec)):
            self._ask(runner, reference, draw(spec, plan, self._batches[0], variant, self._seed))
        return reference

    def _find(self, runner: ModelRunner, spec: SignatureSpec, reference: SignatureReference) -> Plan | None:
        """The first guess that the original accepts."""
        deadline = time.monotonic() + _SEARCH_S
        guesses = [(plan, 0) for plan in plans(spec)] + [(Plan(), 1)]
        for plan, variant in guesses:
            if self._ask(runner, reference, draw(spec, plan, self._batches[0], variant, self._seed)):
                return plan
            if time.monotonic() > deadline:
                break
        return None

    def _ask(self, runner: ModelRunner, reference: SignatureReference, feeds: dict[str, Array]) -> bool:
        try:
            reference.answers.append(Answer(feeds, runner.run(reference.name, feeds)))
            return True
        except RunRefused as error:
            reference.refusal = str(error)
        except ModelCrashed as error:
            reference.refusal = str(error)
            self._crashes += 1
            if self._crashes > _MOST_CRASHES:
                raise
            runner.restart()
        return False


def writes_state(model: Model) -> bool:
    """Whether calls change variables or tables: then answers depend on the calls before."""
    for graph in model.all_graphs():
        for node in graph:
            if node.op.startswith(_WRITES) and node.op not in _NO_WRITES and node not in graph.pinned:
                return True
    return False


def draws_random_numbers(model: Model) -> bool:
    """Whether some op gives other values at each call (seeded or not)."""
    return any(is_random(op) for op in {n.op for g in model.all_graphs() for n in g})


def is_random(op: str) -> bool:
    """Whether an op gives other values at each call."""
    return op.startswith(_RANDOM) or op.endswith(_RANDOM_ENDINGS)
