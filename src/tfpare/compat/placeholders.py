"""What users say of the placeholders that strip_unused_nodes makes: types and shapes, for all or by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tfpare.compat.work import Work
from tfpare.errors import UsageError, nearest
from tfpare.io import attrs as attr_io
from tfpare.io import graphdef
from tfpare.ir.types import UNKNOWN, DType, Shape


@dataclass(frozen=True, slots=True)
class Wanted:
    """Type and shape of a placeholder; None and unknown where nothing is said or known."""

    type: DType | None = None
    shape: Shape = UNKNOWN


@dataclass(slots=True)
class Wishes:
    """What was said for all inputs, and for single tensors."""

    for_all: Wanted
    by_tensor: dict[str, Wanted]
    notes: list[str] = field(default_factory=list[str])

    def decide(self, known: Mapping[str, Wanted]) -> dict[str, Wanted]:
        """Type and shape of each tensor, given what the graph knows of it.

        What is said of a tensor holds for it, and what is said for all holds for a single one; of several, the graph
        knows better.
        """
        found: dict[str, Wanted] = {}
        for tensor, own in known.items():
            said = self.by_tensor.get(tensor) or (self.for_all if len(known) == 1 else Wanted())
            type_ = said.type or own.type or self.for_all.type
            shape = said.shape
            if shape.dims is None:
                shape = (
                    own.shape.merge(self.for_all.shape) if own.shape.is_compatible(self.for_all.shape) else own.shape
                )
            found[tensor] = Wanted(type_, shape)
            if own.type is not None and type_ != own.type:
                self.notes.append(f"{tensor!r} is {type_} now, as asked; the graph gives {own.type} there.")
        return found


def read_wishes(
    work: Work,
    type_: str | None,
    shape: str | None,
    names: tuple[str, ...],
    types: tuple[str, ...],
    shapes: tuple[str, ...],
) -> Wishes:
    """The arguments of strip_unused_nodes.

    Raises:
        UsageError: a type or shape that cannot be read, a name that is no input, or lists that differ in length.
    """
    if not len(names) == len(types) == len(shapes):
        raise UsageError(
            "name, type_for_name and shape_for_name belong together, but there are "
            f"{len(names)}, {len(types)} and {len(shapes)} of them."
        )
    by_tensor: dict[str, Wanted] = {}
    for name, one_type, one_shape in zip(names, types, shapes, strict=True):
        node, port = graphdef.flat_port(name)
        if f"{node}:{port}" not in work.inputs:
            raise UsageError(f"{name!r} is none of the inputs.{nearest(name, work.inputs)}")
        by_tensor[f"{node}:{port}"] = Wanted(_read_type(one_type), read_shape(one_shape))
    for_all = Wanted(
        _read_type(type_) if type_ is not None else None, read_shape(shape) if shape is not None else UNKNOWN
    )
    return Wishes(for_all, by_tensor)


def _read_type(text: str) -> DType:
    found = attr_io.dtype_named(text)
    if found is None:
        raise UsageError(f"There is no type {text!r}. TensorFlow's names are float, int32, quint8, string and so on.")
    return found


def read_shape(text: str) -> Shape:
    """`1, 224, 224, 3`; -1 and ? are unknown dimensions.

    Raises:
        UsageError: it is none.
    """
    dims: list[int | None] = []
    for part in (p.strip() for p in text.split(",")):
        if part in ("-1", "?"):
            dims.append(None)
        elif part.isdecimal():
            dims.append(int(part))
        else:
            raise UsageError(f"The shape {text!r} is no list of numbers such as 1,224,224,3 (-1 for an unknown one).")
    return Shape(tuple(dims))
