"""Rules that run when a transform asks for them, and never as a part of `optimize`."""

from __future__ import annotations

import importlib
import pkgutil
from functools import partial

from tfpare.compat import rewrites
from tfpare.engine.rule import Rule, rewrite

RULES: dict[str, Rule] = {}

transform_rewrite = partial(rewrite, registry=RULES)
"""As `rewrite`, for a rule of the transforms."""


def load_all() -> None:
    """Imports every module of these rules, which registers them: a new file needs no list."""
    for module in pkgutil.iter_modules(rewrites.__path__):
        importlib.import_module(f"{rewrites.__name__}.{module.name}")
