"""Recipes: the settings of `optimize` in a TOML file, checked before any work begins.

```toml
preset = "fast"                  # or "exact"
precision = "bf16"               # or "auto", "int8", "fp16", "fp32", "keep"
tag_set = ["serve"]
signature_def = ["serving_default"]
disable = ["fuse_pad_into_conv"]
tolerance = 1e-5
data = "eval.npz"                # relative to the recipe

[bind]
is_training = false
keep_prob = 1.0
```

The keys are the flags of `tfpare optimize` (`-` and `_` are the same). A flag that is given replaces the recipe's
value.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from tfpare.api_types import OptimizeOptions
from tfpare.data.open import is_module_function
from tfpare.data.types import DataOptions
from tfpare.errors import UsageError, nearest
from tfpare.ir.types import Array
from tfpare.passes.base import FREEZE_LIMIT_BYTES, LAYOUTS
from tfpare.pipeline import PRESETS
from tfpare.quant.options import QuantOptions
from tfpare.tuning.types import MAX_DROP, Goal
from tfpare.verifier import VerifyOptions

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # pyright: ignore[reportMissingImports] - not installed where Python has its own

_parse_toml = cast(Callable[[str], dict[str, Any]], tomllib.loads)  # pyright: ignore[reportUnknownMemberType]

Scalar = bool | int | float | str


def _as_list(value: object) -> object:
    """`"a, b"` and `["a", "b"]` are the same."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _as_bytes(value: object) -> object:
    """`"500MB"` is 500,000,000, `"1GiB"` is 2³⁰, a number is bytes."""
    match = (
        re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMG]?)(i?)B?\s*", value, re.IGNORECASE)
        if isinstance(value, str)
        else None
    )
    if match is None:
        return value
    number, prefix, binary = match.groups()
    return round(float(number) * (1024 if binary else 1000) ** " KMG".index(prefix.upper() or " "))


def _as_layout(value: object) -> object:
    """`nhwc` and `NHWC` are the same."""
    by_lower = {name.lower(): name for name in LAYOUTS}
    return by_lower.get(value.lower(), value) if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_as_list)]


class Recipe(BaseModel):
    """What a recipe may say; see the flags of `tfpare optimize`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    preset: Literal["exact", "fast"] = "fast"
    tag_set: Names | None = None
    signature_def: Names = ()
    input_names: Names = ()
    output_names: Names = ()
    disable: Names = ()
    only: Names = ()
    bind: dict[str, Scalar | list[Scalar]] = Field(default_factory=dict[str, "Scalar | list[Scalar]"])
    layout: Annotated[Literal["keep", "auto", "NHWC", "NCHW"], BeforeValidator(_as_layout)] = "keep"
    precision: Literal["keep", "auto", "fp32", "bf16", "fp16", "int8"] = "keep"
    calibration: Literal["minmax", "moving-average", "percentile", "entropy", "mse"] = "mse"
    percentile: Annotated[float, Field(gt=50, le=100)] = 99.99
    calibration_samples: Annotated[int, Field(ge=1)] = 1000
    keep_float: Names = ()
    rest: Literal["fp32", "bf16"] = "fp32"
    weights_only: bool = False
    portable: bool = False
    reduce_range: bool | None = None
    work_dir: Path | None = None
    metric: Names = ()
    max_drop: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    eval_data: str = ""
    output_key: str = ""
    force: bool = False
    remove_asserts: bool = False
    freeze_limit: Annotated[int, BeforeValidator(_as_bytes), Field(ge=0)] = FREEZE_LIMIT_BYTES
    op_library: tuple[Path, ...] = ()
    data: Path | None = None
    inputs: str = ""
    input_exprs: str = ""
    tolerance: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    verify: bool = True
    report: Path | None = None
    benchmark: bool = True
    overwrite: bool = False

    def options(self, reading: DataOptions | None = None) -> OptimizeOptions:
        """The same for `tfpare.api.optimize`; `reading` says how samples are read."""
        return OptimizeOptions(
            preset=self.preset,
            tags=self.tag_set,
            signatures=self.signature_def,
            input_names=self.input_names,
            output_names=self.output_names,
            disable=self.disable,
            only=self.only,
            bind={name: _array(value) for name, value in self.bind.items()},
            layout=self.layout,
            precision=self.precision,
            int8=self._int8(reading or DataOptions()),
            goal=self._goal(),
            force=self.force,
            remove_asserts=self.remove_asserts,
            freeze_limit_bytes=self.freeze_limit,
            overwrite=self.overwrite,
            verify=self.verify,
            verification=self._verification(),
            record=self.report is not None,
            compare_layers=self.report is not None,
        )

    def _goal(self) -> Goal | None:
        if self.max_drop is None and not self.metric and not self.eval_data:
            return None
        if self.weights_only:
            raise UsageError("--weights-only is not judged: leave out --metric, --max-drop and --eval-data.")
        drop = MAX_DROP if self.max_drop is None else self.max_drop
        return Goal(drop, self.metric, self.eval_data, self.output_key)

    def _samples(self) -> str:
        """What to calibrate with and to judge by; else `data` is what the proof feeds."""
        wanted = self.precision in ("int8", "auto") or self._goal() is not None
        return str(self.data) if wanted and self.data is not None and not self.weights_only else ""

    def _int8(self, reading: DataOptions) -> QuantOptions:
        return QuantOptions(
            data=self._samples(),
            data_options=reading,
            calibration=self.calibration,
            percentile=self.percentile,
            precisions=dict.fromkeys(self.keep_float, "fp32"),
            rest=self.rest,
            portable=self.portable,
            reduce_range=self.reduce_range,
            samples=self.calibration_samples,
            work_dir=self.work_dir,
        )

    def _verification(self) -> VerifyOptions:
        return VerifyOptions(
            tags=self.tag_set,
            signatures=self.signature_def,
            input_names=self.input_names,
            output_names=self.output_names,
            data=None if self._samples() else self.data,
            inputs=self.inputs,
            input_exprs=self.input_exprs,
            tolerance=self.tolerance,
        )


def read_recipe(path: Path) -> dict[str, Any]:
    """The settings of a recipe file, its paths made absolute; `make_recipe` checks them.

    Raises:
        UsageError: the file cannot be read, or is no TOML.
    """
    try:
        settings = _parse_toml(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The recipe {path} cannot be read: {error}") from error
    except ValueError as error:
        raise UsageError(f"The recipe {path} is no TOML: {error}") from error
    settings = {key.replace("-", "_"): value for key, value in settings.items()}
    for key in ("data", "eval_data", "report"):
        value = settings.get(key)
        if isinstance(value, str) and not is_module_function(value):
            settings[key] = str(path.parent / value)
    if isinstance(settings.get("op_library"), list):
        settings["op_library"] = [path.parent / str(p) for p in settings["op_library"]]
    return settings


def make_recipe(settings: Mapping[str, object], source: str) -> Recipe:
    """Checks settings that came from `source`.

    Raises:
        UsageError: an unknown key (the nearest is suggested) or a value that does not fit, naming the key.
    """
    for key in settings:
        if key not in Recipe.model_fields:
            raise UsageError(f"{source}: there is no setting {key!r}.{nearest(key, Recipe.model_fields)}")
    preset = settings.get("preset")
    if isinstance(preset, str) and preset not in PRESETS:
        raise UsageError(f"{source}: there is no preset {preset!r}.{nearest(preset, PRESETS)}")
    try:
        return Recipe.model_validate(dict(settings))
    except ValidationError as error:
        first = error.errors()[0]
        where = str(first["loc"][0]) if first["loc"] else "settings"
        raise UsageError(f"{source}: {where} = {first['input']!r}: {first['msg']}.") from error


def parse_binding(text: str) -> tuple[str, Scalar | list[Scalar]]:
    """`NAME=VALUE`, the value a number, `true`/`false`, a list of these, or else a string.

    Raises:
        UsageError: there is no `=`.
    """
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise UsageError(f"--bind {text!r}: write NAME=VALUE, for example is_training=false.")
    return name.strip().removesuffix(":0"), _literal(value.strip())


def _literal(text: str) -> Scalar | list[Scalar]:
    spelled = {"true": "True", "false": "False"}.get(text.lower(), text)
    try:
        value: object = ast.literal_eval(spelled)
    except (ValueError, SyntaxError):
        return text
    return cast("Scalar | list[Scalar]", value) if isinstance(value, (bool, int, float, str, list)) else text


def _array(value: Scalar | list[Scalar]) -> Array:
    items = value if isinstance(value, list) else [value]
    if not any(isinstance(v, str) for v in items):
        return np.asarray(value)
    texts: Array = np.array([str(v).encode() for v in items], object)
    return texts if isinstance(value, list) else np.reshape(texts, ())
