"""Which of a sample's fields goes to which input, and which one is the label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tfpare.data.types import DataError, DataOptions, Unusable
from tfpare.errors import nearest
from tfpare.feeds.spec import InputSpec, SignatureSpec

LABELS = ("label", "labels", "image/class/label", "target", "targets", "y", "class")
PICTURES = ("image/encoded", "image", "image_raw")


@dataclass(frozen=True, slots=True)
class Assignment:
    """Field by input key, and the field with the label."""

    inputs: dict[str, str]
    label: str | None


def wanted_inputs(spec: SignatureSpec, options: DataOptions) -> tuple[InputSpec, ...]:
    """The inputs that samples have to fill: all but the constants.

    Raises:
        DataError: a constant that is no input, or an input that no sample can fill.
    """
    keys = {i.key for i in spec.inputs}
    for key in (*options.constants, *options.rename):
        if key not in keys:
            raise DataError(f"Signature {spec.name!r} has no input {key!r}.{nearest(key, keys)}")
    wanted = tuple(i for i in spec.inputs if i.key not in options.constants)
    for one in wanted:
        if one.is_sparse:
            raise DataError(f"Input {one.key!r} is sparse: data sets fill dense inputs. Choose another signature.")
        if one.dims == ():
            raise DataError(f"Input {one.key!r} takes one value for all samples: give --input_exprs '{one.key}=…'.")
    return wanted


def assign(wanted: Sequence[InputSpec], fields: Sequence[str], options: DataOptions) -> Assignment:
    """Finds a field for every input: the renamed one, the one of its name, a picture, or the only one that is left.

    Raises:
        Unusable: an input or a label that was asked for has none.
    """
    label = _label(fields, options, {options.rename.get(i.key, i.key) for i in wanted})
    rest = [f for f in fields if f != label]
    found: dict[str, str] = {}
    for one in wanted:
        name = options.rename.get(one.key)
        if name is None:
            name = one.key if one.key in rest else _likely(one, rest, only=len(wanted) == 1)
        if name not in rest:
            raise Unusable(f"there is no {name!r} for the input {one.key!r}.{nearest(name, rest)}")
        found[one.key] = name
    return Assignment(found, label)


def _label(fields: Sequence[str], options: DataOptions, taken: set[str]) -> str | None:
    if options.label_key:
        if options.label_key in fields:
            return options.label_key
        if options.need_labels:
            raise Unusable(f"there is no label {options.label_key!r}.{nearest(options.label_key, fields)}")
        return None
    found = next((name for name in LABELS if name in fields and name not in taken), None)
    if found is None and options.need_labels:
        known = ", ".join(repr(f) for f in fields[:10])
        raise Unusable(f"there is no label; say which of these it is with --label-key: {known}.")
    return found


def _likely(one: InputSpec, rest: Sequence[str], only: bool) -> str:
    if only and len(rest) == 1:
        return rest[0]
    if only and (one.is_image or one.kind == "image" or one.dims is None):
        return next((name for name in PICTURES if name in rest), one.key)
    return one.key
