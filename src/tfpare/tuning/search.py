"""The precision that is fastest and within the accuracy budget: candidates are built, judged and timed.

float32                        the yardstick, always allowed
bfloat16                       where the CPU has the instructions; with data, layers are given back as below
8 bits + bfloat16 or float32   with data: layers for which 8 bits are measured to be slower here stay out; while the
loss is too large, layers are given back, those first whose return helps most
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import JsonValue, TypeAdapter, ValidationError

from tfpare.api_types import OptimizeOptions, Progress
from tfpare.data.types import DataError
from tfpare.errors import TfpareError
from tfpare.io import start, write
from tfpare.io.entries import entry_graph
from tfpare.io.read import read
from tfpare.ir.graph import Graph, Node, Value
from tfpare.ir.model import Model
from tfpare.measure.subjects import exported
from tfpare.passes.base import PassResult
from tfpare.precision.cpu import check_cpu
from tfpare.quant.calibrate import Task, calibrate, tensor_name
from tfpare.quant.choice import Range
from tfpare.quant.equalize import apply_factors, choose_factors, find_joints
from tfpare.quant.fake_quants import take_ranges
from tfpare.quant.options import QuantOptions
from tfpare.quant.samples import calibrated_signature, entry_feeds, open_samples
from tfpare.quant.saturation import decided
from tfpare.quant.scheme import candidates, make_scheme, wanted_ranges
from tfpare.rewriting import read_options, rewrite
from tfpare.runtime import infer_shapes
from tfpare.stats import file_bytes
from tfpare.tuning.gate import slower_layers
from tfpare.tuning.journal import Journal
from tfpare.tuning.magnitudes import channel_magnitudes
from tfpare.tuning.op_times import op_times
from tfpare.tuning.quality import Quality, measure_quality
from tfpare.tuning.sensitivity import LayerSensitivity, Sensitivities, measure_sensitivities
from tfpare.tuning.split import split_samples
from tfpare.tuning.switched_bf16 import emit_switched as switch_bfloat16
from tfpare.tuning.switched_int8 import emit_switched as switch_int8
from tfpare.tuning.switches import Layer
from tfpare.tuning.timing import time_candidates
from tfpare.tuning.types import Candidate, Goal, LayerChoice, SearchReport

_WORTH_IT = 1.03  # a less exact precision has to be so much faster than the more exact one
_BISECTIONS = 3  # between a number of layers given back that is too small and one that is enough
_SENSITIVITIES = TypeAdapter(Sensitivities)
_REST = {"bf16": "bfloat16", "fp32": "float32"}
_NAMES = {"bf16": "bfloat16", "fp16": "float16 weights", "fp32": "float32 throughout"}


@dataclass(frozen=True, slots=True)
class Found:
    """A search's result.

    Attributes:
        report: what was tried.
        preferences: candidates with the options that make them, the best first; the float model is the last.
    """

    report: SearchReport
    preferences: list[tuple[Candidate, OptimizeOptions]]


def find_precision(source: Path, target: Path, options: OptimizeOptions, progress: Progress) -> Found:
    """Looks for the best precision of a model.

    Args:
        source: of the run.
        target: of the run; nothing is written to it.
        options: with `precision` `auto`, or one precision and a goal that it has to meet.
        progress: told what is being done.

    Raises:
        DataError: the samples cannot be used; TfpareError: the model cannot be.
    """
    with ExitStack() as stack:
        return _Search(source, target, options, progress, stack).run()


@dataclass(slots=True)
class _Built:
    """A candidate with what makes it."""

    candidate: Candidate
    options: OptimizeOptions
    path: Path
    layers: list[LayerChoice] = field(default_factory=list[LayerChoice])


class _Search:
    def __init__(
        self, source: Path, target: Path, options: OptimizeOptions, progress: Progress, stack: ExitStack
    ) -> None:
        self._target, self._options, self._progress = target, options, progress
        self._goal = options.goal or Goal()
        self._report = SearchReport(self._goal.max_drop)
        self._scratch = Path(stack.enter_context(TemporaryDirectory(prefix="tfpare-")))
        self._begin = time.perf_counter()
        progress("import")
        start.start_tensorflow()
        self._path = exported(source, stack)
        settings, self._held = split_samples(self._read()[0], options)
        self._settings = decided(settings) if options.precision in ("auto", "int8") and settings.data else settings
        self._built: list[_Built] = []
        self._journal = Journal(None, "")

    def run(self) -> Found:
        """Builds, judges, times, chooses."""
        asked = self._options.precision
        floats = self._build("float32", replace(self._options, precision="keep"))
        self._built.append(floats)
        self._journal = Journal(self._options.int8.work_dir, self._subject(floats))
        if self._held is None:
            self._report.notes.append("without --data nothing is put into 8 bits, and the loss is the proof's alone")
        other = asked if asked in _NAMES else "bf16"
        half = self._try(_NAMES[other], other, lambda: self._without_data(other)) if asked != "keep" else None
        if asked in ("auto", "int8") and self._settings.data:
            self._try("8 bits", "int8", lambda: self._int8(half if half is not None and half.candidate.ok else None))
        allowed = [b for b in self._built if b.candidate.ok]
        best = self._by_speed(allowed) if asked == "auto" else self._by_wish(allowed)
        best.candidate.chosen = True
        self._report.layers = best.layers
        self._report.seconds = time.perf_counter() - self._begin
        self._tell_why_not_int8(best)
        order = [best, *(b for b in reversed(allowed) if b is not best)]
        return Found(self._report, [(b.candidate, b.options) for b in order])

    def _subject(self, floats: _Built) -> str:
        """What measured losses hold for: the weights, the samples, the goal."""
        digest = hashlib.sha256()
        files = [floats.path] if floats.path.is_file() else sorted(p for p in floats.path.rglob("*") if p.is_file())
        for file in files:
            if file.name != "fingerprint.pb":
                digest.update(file.read_bytes())
        return f"{digest.hexdigest()} {self._held!r}"

    # -- candidates --------------------------------------------------------------------------------------------------

    def _try(self, name: str, precision: str, make: Callable[[], _Built]) -> _Built | None:
        """A candidate, or a line that says why there is none."""
        try:
            built = make()
        except DataError:
            raise
        except TfpareError as error:
            self._report.candidates.append(Candidate(name, precision, ok=False, note=str(error)))
            return None
        self._built.append(built)
        return built

    def _without_data(self, precision: str) -> _Built:
        """A precision that needs no calibration; of bfloat16 what the budget takes back goes back."""
        check_cpu(precision, self._options.force)
        first = self._judged(self._build(_NAMES[precision], replace(self._options, precision=precision)))
        if first.candidate.ok or precision != "bf16" or not self._settings.data:
            return first
        first.candidate.note = "loses too much"
        settings = self._options.int8

        def switch(graph: Graph) -> list[Layer]:
            return switch_bfloat16(graph, lambda name: settings.precision_of(name) == "fp32")

        found = self._sensitivities("bf16", self._settings, switch)
        return self._given_back(found, first, lambda given: self._in_bfloat16(settings, given))

    def _in_bfloat16(self, settings: QuantOptions, given: list[LayerSensitivity]) -> _Built:
        """With these layers in float32."""
        settings = _without(settings, [name for one in given for name in one.nodes], "fp32")
        options = replace(self._options, precision="bf16", int8=settings)
        return self._judged(_with_layers(self._build(_NAMES["bf16"], options), _choices(given, "float32")))

    def _int8(self, half: _Built | None) -> _Built:
        """With what the speed gate lets through, less what the budget takes back; the rest as in the bfloat16 model."""
        settings, kept = self._settings, list[LayerChoice]()
        if half is not None:
            settings, kept = replace(settings, rest="bf16", precisions=half.options.int8.precisions), half.layers
        settings, slower = self._planned(settings)
        layers = [*kept, *slower]
        first = self._judged(self._in_8_bits(settings, layers))
        if first.candidate.ok:
            return first
        first.candidate.note = "loses too much"
        worst = first
        equalized = self._equalized(settings)
        if equalized is not None:
            second = self._judged(self._in_8_bits(equalized, layers))
            if second.candidate.ok:
                return second
            second.candidate.note = "channels made alike in size: still loses too much"
            if (second.candidate.drop or 0.0) < (first.candidate.drop or 0.0):
                settings, worst = equalized, second

        def switch(graph: Graph) -> list[Layer]:
            return switch_int8(graph, make_scheme(graph, _ranges_of(graph, settings), settings))

        found = self._sensitivities("int8", settings, switch)
        return self._given_back(found, worst, lambda given: self._with_float(settings, layers, given))

    def _planned(self, settings: QuantOptions) -> tuple[QuantOptions, list[LayerChoice]]:
        """With measured ranges, without the layers that are slower in 8 bits."""
        model, graph, trained = self._float_model(settings)
        ranges = {**self._calibrated(model, graph, settings), **trained}
        settings = _with_ranges(settings, ranges)
        if self._options.precision != "auto" or settings.portable:
            return settings, []
        scheme = make_scheme(graph, ranges, settings)

        def tell(done: int, total: int) -> None:
            self._progress(f"time layers: {done} of {total} kinds")

        other = _REST[settings.rest]
        refused = slower_layers(graph, scheme, op_times(scheme, tell), other)
        return _without(settings, [r.name for r in refused], settings.rest), [
            LayerChoice(r.name, r.op, other, r.why) for r in refused
        ]

    def _calibrated(self, model: Model, graph: Graph, settings: QuantOptions) -> dict[Value, Range]:
        self._progress("calibrate")
        tensors = wanted_ranges(candidates(graph, settings, PassResult()))
        signature = calibrated_signature(model, settings)
        task = Task(model, graph, entry_feeds(model, signature), tensors, settings.data_options.constants)
        found = calibrate(task, open_samples(model, settings), settings, self._progress)
        self._report.notes.extend(n for n in found.notes if n not in self._report.notes)
        return found.ranges

    def _equalized(self, settings: QuantOptions) -> QuantOptions | None:
        """With channels made alike in size, and ranges measured again; None where there is nothing to gain by that."""
        model, graph, trained = self._float_model(settings)
        if trained:
            return None
        self._progress("equalize channels")
        joints = find_joints(graph)
        factors = choose_factors(joints, channel_magnitudes(model, graph, [j.value for j in joints], settings))
        if not factors:
            return None
        settings = replace(settings, factors=factors, ranges={})
        model, graph, _ = self._float_model(settings)
        return _with_ranges(settings, self._calibrated(model, graph, settings))

    def _float_model(self, settings: QuantOptions) -> tuple[Model, Graph, dict[Value, Range]]:
        """The model as it is before it is quantized, the graph that the samples enter, and ranges from training."""
        model = self._rewritten(replace(self._options, precision="keep"))[0]
        name = entry_graph(model, calibrated_signature(model, settings))
        graph = next((g for g in model.graphs if g.name == name), None)
        if graph is None:
            raise TfpareError("the signature has no graph of its own that could be quantized")
        trained = take_ranges(graph, PassResult())
        infer_shapes(graph)
        apply_factors(graph, settings.factors)
        return model, graph, trained

    def _in_8_bits(self, settings: QuantOptions, layers: list[LayerChoice]) -> _Built:
        words = "8 bits + bfloat16" if settings.rest == "bf16" else "8 bits"
        return _with_layers(self._build(words, replace(self._options, precision="int8", int8=settings)), layers)

    def _sensitivities(
        self, precision: str, settings: QuantOptions, switch: Callable[[Graph], list[Layer]]
    ) -> Sensitivities:
        """Of the layers that `switch` gives switches to."""
        key = f"sensitivities {precision} {_key(settings)}"
        known = _as_sensitivities(self._journal.get(key))
        if known is not None:
            return known

        def tell(what: str, done: int, total: int) -> None:
            self._progress(f"sensitivity {done + 1} of {total}: {precision} in {what}")

        model, graph, _ = self._float_model(settings)
        found = measure_sensitivities(model, graph, switch(graph), settings, tell)
        self._journal.put(key, _SENSITIVITIES.dump_python(found, mode="json"))
        return found

    def _given_back(
        self, found: Sensitivities, first: _Built, build: Callable[[list[LayerSensitivity]], _Built]
    ) -> _Built:
        """As many layers in float as seem enough, twice as many until they are, then as few as some bisections find.

        Args:
            found: the layers in the order in which they go back.
            first: with none of them given back.
            build: the judged candidate without some of them.

        Raises:
            TfpareError: the loss is not allowed with one layer left in the narrower type.
        """
        order, most = found.layers, found.most
        too_few, count = 0, found.enough(first.candidate.drop or 0.0, self._goal.max_drop)
        best: _Built | None = None
        while best is None and too_few < most:
            built = build(order[:count])
            if built.candidate.ok:
                best = built
            else:
                built.candidate.note = "still loses too much"
                self._drop_files(built)
                too_few, count = count, min(2 * count, most)
        if best is None:
            raise TfpareError(f"it loses too much even with {most} of {len(order)} layers given back")
        for _ in range(_BISECTIONS):
            if count - too_few <= 1:
                break
            middle = (count + too_few) // 2
            built = build(order[:middle])
            if built.candidate.ok:
                best.candidate.note = "fewer layers in float do as well"
                self._drop_files(best)
                count, best = middle, built
            else:
                built.candidate.note = "still loses too much"
                self._drop_files(built)
                too_few = middle
        return best

    def _with_float(self, settings: QuantOptions, layers: list[LayerChoice], given: list[LayerSensitivity]) -> _Built:
        choices = [*layers, *_choices(given, _REST[settings.rest])]
        return self._judged(self._in_8_bits(_without(settings, [s.name for s in given], settings.rest), choices))

    # -- building and judging ----------------------------------------------------------------------------------------

    def _read(self) -> list[Model]:
        return read(self._path, read_options(self._options, self._target))

    def _rewritten(self, options: OptimizeOptions) -> list[Model]:
        models = self._read()
        rewrite(models, replace(options, goal=None), self._progress)
        return models

    def _build(self, name: str, options: OptimizeOptions) -> _Built:
        options = replace(options, goal=None)
        models = self._rewritten(options)
        if options.precision == "bf16" and not any(_is_bfloat16(n) for m in models for g in m.all_graphs() for n in g):
            raise TfpareError("nothing in it would gain from bfloat16")
        place = self._scratch / str(len(self._report.candidates))
        place.mkdir()
        path = write.write_staged(models, place, self._target)
        candidate = Candidate(name, options.precision, file_bytes=file_bytes(path))
        self._report.candidates.append(candidate)
        return _Built(candidate, options, path)

    def _judged(self, built: _Built) -> _Built:
        """With the loss on held-out samples, where there are any."""
        if self._held is None:
            return built
        candidate, int8 = built.candidate, built.options.int8
        key = f"{candidate.precision} {_key(int8)}"
        quality = _as_quality(self._journal.get(key))
        if quality is None:

            def tell(done: int, total: int | None) -> None:
                self._progress(f"judge {candidate.name}: {done} of {total or '?'} samples")

            quality = measure_quality(self._built[0].path, built.path, self._held, tell)
            self._journal.put(key, [quality.drop, quality.words, quality.data])
        candidate.drop, candidate.quality = quality.drop, quality.words
        candidate.ok = quality.drop <= self._goal.max_drop
        self._report.data = quality.data
        return built

    def _drop_files(self, built: _Built) -> None:
        shutil.rmtree(built.path.parent, ignore_errors=True)

    # -- choosing ----------------------------------------------------------------------------------------------------

    def _by_wish(self, allowed: list[_Built]) -> _Built:
        """The precision that was asked for, else the next more exact one that is allowed."""
        return allowed[-1]

    def _by_speed(self, allowed: list[_Built]) -> _Built:
        """The fastest; of nearly equal ones the most exact."""
        paths = [b.path for b in allowed]
        try:
            timing = time_candidates(self._path, paths, self._settings, self._options, self._progress)
        except TfpareError as error:
            self._report.notes.append(f"times could not be measured, so the model stays in float: {error}")
            return allowed[0]
        self._report.notes.extend(timing.notes)
        for built, speed, milliseconds in zip(allowed, timing.speeds, timing.milliseconds, strict=True):
            built.candidate.speed, built.candidate.milliseconds = speed, milliseconds
        best = 0
        for k, speed in enumerate(timing.speeds):
            if speed.value * _WORTH_IT < timing.speeds[best].value:
                best = k
        return allowed[best]

    def _tell_why_not_int8(self, best: _Built) -> None:
        if best.candidate.precision == self._options.precision or self._options.precision == "auto":
            return
        self._report.notes.append(
            f"--precision {self._options.precision} does not meet --max-drop {self._goal.max_drop:g}; the result is "
            f"{best.candidate.name}"
        )


def _is_bfloat16(node: Node) -> bool:
    return any(d.base.name == "bfloat16" for d in node.dtypes)


def _with_ranges(settings: QuantOptions, ranges: Mapping[Value, Range]) -> QuantOptions:
    return replace(settings, ranges={tensor_name(v): r for v, r in ranges.items()})


def _key(settings: QuantOptions) -> str:
    """What tells candidates in 8 bits apart."""
    kernels = "reduced" if settings.reduce_range else "full"
    return json.dumps(
        [settings.rest, settings.calibration, kernels, bool(settings.factors), sorted(settings.precisions)]
    )


def _ranges_of(graph: Graph, settings: QuantOptions) -> dict[Value, tuple[float, float]]:
    values = (n.out(k) for n in graph for k in range(len(n.dtypes)))
    return {v: settings.ranges[tensor_name(v)] for v in values if tensor_name(v) in settings.ranges}


def _without(settings: QuantOptions, names: list[str], precision: str) -> QuantOptions:
    """With these layers in a wider type, whatever else was asked for them."""
    others = {glob: asked for glob, asked in settings.precisions.items() if glob not in names}
    return replace(settings, precisions={**dict.fromkeys(names, precision), **others})


def _with_layers(built: _Built, layers: list[LayerChoice]) -> _Built:
    built.layers = layers
    built.candidate.in_float = tuple(one.name for one in layers)
    return built


def _choices(given: list[LayerSensitivity], precision: str) -> list[LayerChoice]:
    return [LayerChoice(one.name, one.op, precision, _cost(one)) for one in given]


def _cost(layer: LayerSensitivity) -> str:
    text = f"alone it leaves {layer.only_db:.1f} dB"
    return text if layer.without_db is None else f"{text}; all others without it {layer.without_db:.1f} dB"


def _as_sensitivities(found: JsonValue | None) -> Sensitivities | None:
    try:
        return _SENSITIVITIES.validate_python(found)
    except ValidationError:  # there are none, or an older version's
        return None


def _as_quality(found: JsonValue | None) -> Quality | None:
    if not isinstance(found, list) or len(found) != 3:
        return None
    drop, words, data = found
    return Quality(float(drop), str(words), str(data)) if isinstance(drop, (int, float)) else None
