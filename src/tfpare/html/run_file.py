"""Reports that were stored with `--json`; what a file holds is told from its keys."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from pydantic import JsonValue, TypeAdapter, ValidationError

from tfpare.api_types import OptimizeReport
from tfpare.errors import UsageError
from tfpare.evaluation.types import EvaluationReport
from tfpare.html.contents import One, Report
from tfpare.measure.compare_types import CompareReport
from tfpare.measure.types import BenchmarkReport

_MADE_BY: dict[type[Report], str] = {
    OptimizeReport: "tfpare optimize MODEL -o OUT --json",
    CompareReport: "tfpare compare BEFORE AFTER --json",
    EvaluationReport: "tfpare evaluate MODEL --data DATA --json",
    BenchmarkReport: "tfpare benchmark BEFORE AFTER --json",
}
_TOLD_BY: dict[type[Report], set[str]] = {
    OptimizeReport: {"preset", "steps"},
    CompareReport: {"rows", "benchmark"},
    EvaluationReport: {"results", "agreement"},
    BenchmarkReport: {"models", "ratios"},
}


def read_report(path: Path) -> Report:
    """What one of the commands printed.

    Raises:
        UsageError: the file cannot be read, or is something else.
    """
    text = _text(path)
    try:
        found = TypeAdapter(JsonValue).validate_json(text)
    except ValidationError as error:
        raise UsageError(f"{path} is no JSON document: {error.errors()[0]['msg']}.") from error
    keys = set(found) if isinstance(found, dict) else set[str]()
    if keys >= {"error", "exit_code"}:
        raise UsageError(f"{path} holds no report but an error: {cast('dict[str, JsonValue]', found)['error']}")
    kind = next((k for k, told_by in _TOLD_BY.items() if told_by <= keys), None)
    if kind is None:
        commands = ", ".join(f"`{command}`" for command in _MADE_BY.values())
        raise UsageError(f"{path} does not hold what one of these prints: {commands}.")
    return _parse(path, text, kind)


def read_run(path: Path) -> OptimizeReport:
    """The report that `tfpare optimize --json` printed.

    Raises:
        UsageError: the file cannot be read, or is something else.
    """
    return _parse(path, _text(path), OptimizeReport)


def read_benchmark(path: Path) -> BenchmarkReport:
    """The report that `tfpare benchmark --json` printed.

    Raises:
        UsageError: the file cannot be read, or is something else.
    """
    return _parse(path, _text(path), BenchmarkReport)


def _text(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error


def _parse(path: Path, text: bytes, kind: type[One]) -> One:
    try:
        return TypeAdapter(kind).validate_json(text)
    except ValidationError as error:
        first, made_by = error.errors()[0], _MADE_BY[kind]
        where = ".".join(map(str, first["loc"])) or "the document"
        raise UsageError(
            f"{path} does not hold what `{made_by}` prints: {where}: {first['msg']}. "
            f"Store it with `{made_by} > FILE.json`."
        ) from error
