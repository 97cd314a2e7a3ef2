"""Transforms from file to file: GraphDefs and SavedModels."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tfpare.compat import driver
from tfpare.compat.driver import Progress, TransformStep
from tfpare.compat.work import Work
from tfpare.errors import UnsupportedModel, UsageError
from tfpare.io import graphdef, start, write
from tfpare.io.read import ReadOptions, read, sniff
from tfpare.pipeline import StepReport, freeze_model
from tfpare.stats import file_bytes
from tfpare.verifier import VerifyOptions, VerifyReport, verify


@dataclass(frozen=True, slots=True)
class TransformOptions:
    """What the user decides.

    Attributes:
        inputs, outputs: of a bare GraphDef, names of nodes or tensors.
        tags, signatures: of a SavedModel; see `tfpare.io.read.ReadOptions`.
        as_text: write a GraphDef as text (also when the output is called `.pbtxt`).
        overwrite: replace an existing output.
        verify: compare the answers before and after, and write nothing when they differ.
        tolerance: see `VerifyOptions`.
    """

    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    tags: tuple[str, ...] | None = None
    signatures: tuple[str, ...] = ()
    as_text: bool = False
    overwrite: bool = False
    verify: bool = False
    tolerance: float | None = None


@dataclass(slots=True)
class TransformReport:
    """What the transforms did.

    Attributes:
        steps: one for each transform, in order.
        details: what the passes and rules did that the transforms ran.
        bytes_before, bytes_after: of the files.
    """

    input: Path
    output: Path
    steps: list[TransformStep]
    details: list[StepReport]
    ops_before: dict[str, int]
    ops_after: dict[str, int]
    bytes_before: int = 0
    bytes_after: int = 0
    verification: VerifyReport | None = None
    notes: list[str] = field(default_factory=list[str])
    seconds: float = 0.0


def transform(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    transforms: str | Iterable[str],
    options: TransformOptions | None = None,
    progress: Progress = lambda step: None,
) -> TransformReport:
    """Runs transforms of the Graph Transform Tool on a model and writes the result.

    Args:
        source: a GraphDef (binary or text), or a SavedModel directory, whose variables become constants first.
        target: a SavedModel directory where the source is one, else a GraphDef file.
        transforms: in the tool's own syntax.
        options: what the user decides.
        progress: called with the name of each transform as it starts.

    Raises:
        UsageError: the call is wrong; UnsupportedModel: the input is; TfpareError: a transform cannot do its work.
    """
    options = options or TransformOptions()
    before, after = Path(os.path.expanduser(source)), Path(os.path.expanduser(target))
    driver.check(transforms)
    return _Job(before, after, options, progress).run(transforms)


class _Job:
    def __init__(self, source: Path, target: Path, options: TransformOptions, progress: Progress) -> None:
        self.source, self.target, self.options, self.progress = source, target, options, progress
        self.is_saved_model = sniff(source) == "saved_model"
        write.check_target(target, options.overwrite, [source])
        if target.is_dir() and not self.is_saved_model:
            raise UsageError(f"{target} is a directory; a GraphDef is written to a file.")

    def run(self, transforms: str | Iterable[str]) -> TransformReport:
        begin = time.perf_counter()
        start.start_tensorflow()
        self.progress("read")
        works = self._read_saved_model() if self.is_saved_model else [self._read_graph()]
        report = TransformReport(self.source, self.target, [], [], _ops(works), {}, file_bytes(self.source))
        text = transforms if isinstance(transforms, str) else " ".join(transforms)
        for work in works:
            report.steps.extend(driver.apply(work, text, self.progress))
            report.details.extend(work.reports.values())
        report.ops_after = _ops(works)
        self.progress("write")
        with write.staging(self.target) as place:
            staged = self._write(works, place)
            report.bytes_after = file_bytes(staged)
            if self.options.verify:
                self.progress("verify")
                report.verification = self._verify(staged)
            if report.verification is None or report.verification.ok:
                write.publish(staged, self.target)
        report.notes = list(dict.fromkeys(n for w in works for n in w.notes))
        report.seconds = time.perf_counter() - begin
        return report

    def _read_graph(self) -> Work:
        if sniff(self.source) != "graphdef":
            raise UnsupportedModel(f"{self.source} is no GraphDef. Transforms take a .pb, a .pbtxt or a SavedModel.")
        graph_def = graphdef.read_graphdef(self.source)
        return Work.from_graph_def(graph_def, self.options.inputs, self.options.outputs)

    def _read_saved_model(self) -> list[Work]:
        given = self.options
        if given.inputs or given.outputs:
            raise UsageError("A SavedModel says in its signatures what its inputs and outputs are; leave them out.")
        models = read(self.source, ReadOptions(given.tags, given.signatures, frozen=True))
        for model in models:
            freeze_model(model)
        return [Work.from_model(model) for model in models]

    def _write(self, works: list[Work], place: Path) -> Path:
        if self.is_saved_model:
            return write.write_staged([w.model() for w in works], place, self.target)
        staged = place / self.target.name
        graphdef.write_graphdef(works[0].proto(), staged, self.options.as_text or self.target.suffix == ".pbtxt")
        return staged

    def _verify(self, staged: Path) -> VerifyReport:
        given = self.options
        names = given.tags, given.signatures, given.inputs, given.outputs
        return verify(self.source, staged, VerifyOptions(*names, tolerance=given.tolerance), self.progress)


def _ops(works: list[Work]) -> dict[str, int]:
    found: dict[str, int] = {}
    for work in works:
        for op, count in work.count_ops().items():
            found[op] = found.get(op, 0) + count
    return found
