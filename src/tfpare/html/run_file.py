"""Runs and measurements that were stored with `--json`."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from tfpare.api_types import OptimizeReport
from tfpare.errors import UsageError
from tfpare.measure.types import BenchmarkReport

Report = TypeVar("Report", OptimizeReport, BenchmarkReport)


def read_run(path: Path) -> OptimizeReport:
    """The report that `tfpare optimize --json` printed.

    Raises:
        UsageError: the file cannot be read, or is something else.
    """
    return _read(path, OptimizeReport, "tfpare optimize MODEL -o OUT --json")


def read_benchmark(path: Path) -> BenchmarkReport:
    """The report that `tfpare benchmark --json` printed.

    Raises:
        UsageError: the file cannot be read, or is something else; or it does not compare two models.
    """
    report = _read(path, BenchmarkReport, "tfpare benchmark BEFORE AFTER --json")
    if len(report.models) != 2:
        raise UsageError(f"{path} measures {len(report.models)} models, the page compares two.")
    return report


def _read(path: Path, kind: type[Report], made_by: str) -> Report:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error
    try:
        return TypeAdapter(kind).validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the document"
        raise UsageError(
            f"{path} does not hold what `{made_by}` prints: {where}: {first['msg']}. "
            f"Store it with `{made_by} > FILE.json`."
        ) from error
