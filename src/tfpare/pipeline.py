"""Pipelines: which passes and rules run in which order, and what each of them did."""

from __future__ import annotations

import gc
import importlib
import pkgutil
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from tfpare import passes, rewrites, runtime
from tfpare.engine.driver import Commit, Driver, RuleStats
from tfpare.engine.rule import RULES, Effect, Rule
from tfpare.errors import InvariantError, UsageError, nearest
from tfpare.ir.model import Model
from tfpare.passes.base import PASSES, Pass, PassOptions, PassResult
from tfpare.recording import Recorder

PRESETS = {"exact": (Effect.EXACT,), "fast": (Effect.EXACT, Effect.ROUNDING)}

_INLINE = "inline_functions"
_PREPARE = (
    *(_INLINE, "bind_placeholders", "freeze_variables", "prune_stacks", "separate_outputs"),
    *("move_constants_into_loops", "prune_controls", "share_bodies"),
)
# Duplicates go before folding, which has to know whether a constant has other readers.
_SIMPLIFY = (
    *("push_constants", "fold_switches", "prune_branches", "skip_loops"),
    *("merge_duplicates", "fold_constants"),
)
_FINISH = ("move_constants_out_of_loops", "prune_controls", "reduce_controls")
PRECISION_PASSES = {
    "fp32": "compute_in_float32",
    "bf16": "compute_in_bfloat16",
    "fp16": "store_as_float16",
    "int8": "compute_in_int8",
}
"""What `--precision` asks for: passes that no preset holds."""
_MAX_ROUNDS = 4  # each round exists for constants that the previous one uncovered (nested loops and branches)


@dataclass(slots=True)
class StepReport:
    """What a pass or rule did: changes, reasons for declining with an example each, seconds, nodes before and after."""

    name: str
    kind: str
    effect: str
    applied: int = 0
    declined: Counter[str] = field(default_factory=Counter[str])
    examples: dict[str, str] = field(default_factory=dict[str, str])
    seconds: float = 0.0
    nodes_removed: int = 0

    def add(self, other: PassResult | RuleStats) -> None:
        """Sums up another run of the same step; only the last run's reasons for declining still hold."""
        self.applied += other.applied
        self.declined, self.examples = Counter(other.declined), dict(other.examples)

    def merge(self, other: StepReport) -> None:
        """Sums up another pipeline's report of the same step."""
        self.applied += other.applied
        self.seconds += other.seconds
        self.nodes_removed += other.nodes_removed
        self.declined, self.examples = Counter(other.declined), dict(other.examples)


Progress = Callable[[str], None]


def _silent(step: str) -> None:
    del step


@dataclass(slots=True)
class Pipeline:
    """Passes and rules with their order checked.

    Args:
        stop_after: leave the graph alone after this many steps (a pass or one applied rule each); used to find the
            step after which the answers differ.
        recorder: told what happens to the nodes, for reports.
    """

    passes: list[Pass]
    rules: list[Rule]
    options: PassOptions = field(default_factory=PassOptions)
    stop_after: int | None = None
    recorder: Recorder | None = None
    steps: list[str] = field(default_factory=list[str])
    reports: dict[str, StepReport] = field(default_factory=dict[str, StepReport])

    def __post_init__(self) -> None:
        position = {p.name: k for k, p in enumerate(self.passes)}
        for one in self.passes:
            for earlier in one.after:
                if earlier in position and position[earlier] > position[one.name]:
                    raise UsageError(f"Pass {one.name!r} has to come after {earlier!r}.")
        if self.options.layout != "keep" and "convert_layout" not in position:
            raise UsageError(
                f"--layout {self.options.layout} needs the pass 'convert_layout', which this preset or choice leaves "
                "out (it rounds otherwise, so preset 'exact' does): use --preset fast, or --layout keep."
            )
        wanted = PRECISION_PASSES.get(self.options.precision)
        if wanted is not None and wanted not in position:
            raise UsageError(
                f"--precision {self.options.precision} needs the pass {wanted!r}, which this preset or choice leaves "
                "out (it changes the numbers, so preset 'exact' does): use --preset fast, or --precision keep."
            )
        self._levels = rule_levels(self.rules)

    _levels: list[list[Rule]] = field(default_factory=list[list[Rule]], init=False)

    def run(self, model: Model, progress: Progress = _silent) -> None:
        """Rewrites a model in place.

        Raises:
            InvariantError: a step left an invalid graph; the message names it.
        """
        with collector_paused():
            self._run(model, progress)

    def _run(self, model: Model, progress: Progress) -> None:
        for name in _PREPARE:
            self._pass(name, model, progress)
            if name == _INLINE and self.recorder is not None:
                self.recorder.begin(model)
        if self.options.precision == "fp32":
            self._convert_precision(model, progress)
        self._simplify(model, progress)
        self._convert_layout(model, progress)
        changed = False
        for count in range(len(self._levels)):
            self._rules([r for level in self._levels[: count + 1] for r in level], model, progress)
            changed = self._simplify(model, progress)
        for _ in range(_MAX_ROUNDS if changed else 0):  # what was folded last may let a rule match
            before = _edits(model)
            self._rules(self.rules, model, progress)
            if _edits(model) == before or not self._simplify(model, progress):
                break
        if self.options.precision != "fp32":
            self._convert_precision(model, progress)
        for name in _FINISH:
            self._pass(name, model, progress)
        progress("check")
        for graph in model.all_graphs():
            runtime.infer_shapes(graph)

    def _convert_layout(self, model: Model, progress: Progress) -> None:
        """Before the rules, which then meet one layout."""
        if self.options.layout != "keep" and self._pass("convert_layout", model, progress):
            self._simplify(model, progress)

    def _convert_precision(self, model: Model, progress: Progress) -> None:
        """To float32 before Casts of weights are folded; else after the rules, when the weights are final."""
        self.options.progress = progress
        for name in _precision_passes(self.options):
            self._pass(name, model, progress)

    def _simplify(self, model: Model, progress: Progress) -> bool:
        """Whether something changed but for merging."""
        rounds = 0
        while rounds < _MAX_ROUNDS:
            changes = {name: self._pass(name, model, progress) for name in _SIMPLIFY}
            if not sum(changes.values()) - changes["merge_duplicates"]:
                break
            rounds += 1
        self._pass("merge_duplicates", model, progress)
        return rounds > 0

    def _done(self) -> bool:
        return self.stop_after is not None and len(self.steps) >= self.stop_after

    def _pass(self, name: str, model: Model, progress: Progress) -> int:
        one = next((p for p in self.passes if p.name == name), None)
        if one is None or self._done():
            return 0
        progress(name)
        start, before = time.perf_counter(), model.count_nodes()
        edits = _edits(model)
        result = one.run(model, self.options)
        if _edits(model) != edits:
            self._check(model, name)
            self._record_pass(name, model)
        report = self.reports.setdefault(name, StepReport(name, "pass", one.effect.value))
        report.add(result)
        report.seconds += time.perf_counter() - start
        report.nodes_removed += before - model.count_nodes()
        model.notes.extend(result.notes)
        self.steps.append(f"pass {name}")
        return result.applied

    def _record_pass(self, name: str, model: Model) -> None:
        if self.recorder is not None and name != _INLINE:
            self.recorder.after_pass(name, model)

    def _rules(self, rules: Sequence[Rule], model: Model, progress: Progress) -> None:
        if self._done() or not rules:
            return
        progress("rules")
        totals: dict[str, RuleStats] = {r.name: RuleStats() for r in rules}
        commits: list[Commit] = []
        for graph in model.all_graphs():
            runtime.infer_shapes(graph)
            limit = None if self.stop_after is None else self.stop_after - len(self.steps)
            driver = Driver(rules, limit)
            driver.run(graph)
            graph.sweep()
            self.steps.extend(f"rule {c.rule} at {c.node} in {c.graph}" for c in driver.trace)
            commits.extend(driver.trace)
            for name, stats in driver.stats.items():
                totals[name].add(stats)
        self._check(model, "rules")
        if commits and self.recorder is not None:
            self.recorder.after_rules(commits, model)
        for rule in rules:
            report = self.reports.setdefault(rule.name, StepReport(rule.name, "rule", rule.effect.value))
            report.add(totals[rule.name])
            report.seconds += totals[rule.name].seconds

    @staticmethod
    def _check(model: Model, step: str) -> None:
        for graph in model.all_graphs():
            try:
                graph.check()
            except InvariantError as error:
                raise InvariantError(f"After {step}: {error}") from error


@contextmanager
def collector_paused() -> Generator[None, None, None]:
    """Keeps Python's garbage collector from running.

    Nodes are removed edge by edge, so that counting references frees them; full collections of a large graph, which
    the allocation of nodes would trigger again and again, take most of the time otherwise.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _edits(model: Model) -> int:
    return sum(g.edits for g in model.all_graphs())


def rule_levels(rules: Iterable[Rule]) -> list[list[Rule]]:
    """Rules by how many others they come after; rules of earlier levels run on together with later ones.

    Raises:
        UsageError: rules wait for each other in a circle.
    """
    by_name = {r.name: r for r in rules}
    levels: dict[str, int] = {}

    def level(name: str, path: tuple[str, ...]) -> int:
        if name in path:
            raise UsageError(f"Rules wait for each other: {' → '.join((*path, name))}.")
        if name not in levels:
            earlier = [level(a, (*path, name)) for a in by_name[name].after if a in by_name]
            levels[name] = 1 + max(earlier, default=-1)
        return levels[name]

    result: list[list[Rule]] = []
    for name in by_name:
        depth = level(name, ())
        while len(result) <= depth:
            result.append([])
        result[depth].append(by_name[name])
    return result


def make_pipeline(
    preset: str = "fast",
    disable: Iterable[str] = (),
    only: Iterable[str] = (),
    options: PassOptions | None = None,
    stop_after: int | None = None,
) -> Pipeline:
    """A preset's pipeline without the disabled steps, or with only the named rules and passes.

    Raises:
        UsageError: an unknown preset, pass or rule; the nearest name is suggested.
    """
    load_all()
    if preset not in PRESETS:
        raise UsageError(f"There is no preset {preset!r}.{nearest(preset, PRESETS)}")
    disabled, chosen = {_known(n) for n in disable}, {_known(n) for n in only}
    effects = PRESETS[preset]

    def wanted(name: str, effect: Effect) -> bool:
        return name not in disabled and (name in chosen if chosen else effect in effects)

    asked = set(_precision_passes(options) if options else ())
    precise = asked - disabled if Effect.ROUNDING in effects and not chosen else set[str]()
    passes = [
        p
        for p in PASSES.values()
        if wanted(p.name, p.effect) or p.name in precise or (p.name in _PREPARE[:1] and not disabled)
    ]
    order = {name: k for k, name in reversed(list(enumerate((*_PREPARE, *_SIMPLIFY, *_FINISH))))}
    passes.sort(key=lambda p: order.get(p.name, len(order)))
    rules = [r for r in RULES.values() if wanted(r.name, r.effect)]
    return Pipeline(passes, rules, options or PassOptions(), stop_after)


def _precision_passes(options: PassOptions) -> tuple[str, ...]:
    """The passes that the precision needs, in their order."""
    if options.precision == "int8":
        half = (PRECISION_PASSES["bf16"],) if options.int8.rest == "bf16" else ()
        return PRECISION_PASSES["int8"], *half, "store_as_int8"
    return tuple(p for p in (PRECISION_PASSES.get(options.precision),) if p is not None)


def _known(name: str) -> str:
    name = name.replace("-", "_")
    if name not in RULES and name not in PASSES:
        raise UsageError(f"There is no rule or pass {name!r}.{nearest(name, [*RULES, *PASSES])}")
    return name


def freeze_model(model: Model) -> None:
    """Inlines calls and makes the variables that have a stored value constants, in place."""
    load_all()
    Pipeline([PASSES["inline_functions"], PASSES["freeze_variables"]], []).run(model)


def load_all() -> None:
    """Imports every module of rules and passes, which registers them: a new file needs no list."""
    for package in (passes, rewrites):
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{package.__name__}.{module.name}")
