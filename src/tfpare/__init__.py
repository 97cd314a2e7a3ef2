"""Makes trained TensorFlow models small and fast for inference, and proves that they still answer the same."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tfpare.api import OptimizeOptions, OptimizeReport, optimize
    from tfpare.errors import TfpareError, UnsupportedModel, UsageError, VerificationError
    from tfpare.io.read import ReadOptions
    from tfpare.io.read import read as load
    from tfpare.pipeline import Pipeline, make_pipeline
    from tfpare.verify import VerifyOptions, VerifyReport

__version__ = "0.1.0"

__all__ = [
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
    "load",
    "make_pipeline",
    "optimize",
]

_PLACES = {
    "OptimizeOptions": "tfpare.api",
    "OptimizeReport": "tfpare.api",
    "Pipeline": "tfpare.pipeline",
    "ReadOptions": "tfpare.io.read",
    "TfpareError": "tfpare.errors",
    "UnsupportedModel": "tfpare.errors",
    "UsageError": "tfpare.errors",
    "VerificationError": "tfpare.errors",
    "VerifyOptions": "tfpare.verify",
    "VerifyReport": "tfpare.verify",
    "load": "tfpare.io.read:read",
    "make_pipeline": "tfpare.pipeline",
    "optimize": "tfpare.api",
}


def __getattr__(name: str) -> object:
    """Imports what is asked for: `import tfpare` and `tfpare --help` then need neither NumPy nor TensorFlow."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, attribute = _PLACES[name].partition(":")
    return getattr(importlib.import_module(module), attribute or name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
