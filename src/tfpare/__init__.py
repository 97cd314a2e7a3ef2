"""Makes trained TensorFlow models small and fast for inference, and proves that they still answer the same."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tfpare.api import OptimizeOptions, OptimizeReport, optimize
    from tfpare.diffing.models import diff
    from tfpare.diffing.types import DiffOptions, DiffReport
    from tfpare.errors import TfpareError, UnsupportedModel, UsageError, VerificationError
    from tfpare.evaluation.run import evaluate
    from tfpare.evaluation.types import EvaluateOptions, EvaluationReport
    from tfpare.io.read import ReadOptions
    from tfpare.io.read import read as load
    from tfpare.measure.benchmark import benchmark
    from tfpare.measure.compare import compare
    from tfpare.measure.compare_types import CompareOptions, CompareReport
    from tfpare.measure.types import BenchmarkOptions, BenchmarkReport
    from tfpare.pipeline import Pipeline, make_pipeline
    from tfpare.verifier import VerifyOptions, VerifyReport, verify

__version__ = "0.1.0"

__all__ = [
    "BenchmarkOptions",
    "BenchmarkReport",
    "CompareOptions",
    "CompareReport",
    "DiffOptions",
    "DiffReport",
    "EvaluateOptions",
    "EvaluationReport",
    "OptimizeOptions",
    "OptimizeReport",
    "Pipeline",
    "ReadOptions",
    "TfpareError",
    "UnsupportedModel",
    "UsageError",
    "VerificationError",
    "VerifyOptions",
    "VerifyReport",
    "benchmark",
    "compare",
    "diff",
    "evaluate",
    "load",
    "make_pipeline",
    "optimize",
    "verify",
]

_PLACES = {
    "BenchmarkOptions": "tfpare.measure.types",
    "BenchmarkReport": "tfpare.measure.types",
    "CompareOptions": "tfpare.measure.compare_types",
    "CompareReport": "tfpare.measure.compare_types",
    "DiffOptions": "tfpare.diffing.types",
    "DiffReport": "tfpare.diffing.types",
    "EvaluateOptions": "tfpare.evaluation.types",
    "EvaluationReport": "tfpare.evaluation.types",
    "OptimizeOptions": "tfpare.api",
    "OptimizeReport": "tfpare.api",
    "Pipeline": "tfpare.pipeline",
    "ReadOptions": "tfpare.io.read",
    "TfpareError": "tfpare.errors",
    "UnsupportedModel": "tfpare.errors",
    "UsageError": "tfpare.errors",
    "VerificationError": "tfpare.errors",
    "VerifyOptions": "tfpare.verifier",
    "VerifyReport": "tfpare.verifier",
    "benchmark": "tfpare.measure.benchmark",
    "compare": "tfpare.measure.compare",
    "diff": "tfpare.diffing.models",
    "evaluate": "tfpare.evaluation.run",
    "load": "tfpare.io.read:read",
    "make_pipeline": "tfpare.pipeline",
    "optimize": "tfpare.api",
    "verify": "tfpare.verifier",
}


def __getattr__(name: str) -> object:
    """Imports what is asked for: `import tfpare` and `tfpare --help` then need neither NumPy nor TensorFlow."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, attribute = _PLACES[name].partition(":")
    return getattr(importlib.import_module(module), attribute or name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
