"""Which variables have to stay variables because a GraphDef cannot hold all of them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

from tfpare.ir.model import Model, Variable
from tfpare.passes.merge_duplicates import digest


def over_limit(model: Model, variables: Iterable[Variable], limit_bytes: int) -> list[Variable]:
    """The largest variables, as many as have to go so that all constants together stay within the limit.

    Values are compared only when it matters: a value that several variables (or constants) have is stored once, both
    as constant and in the checkpoint.
    """
    ordered = sorted(variables, key=lambda v: v.n_bytes)
    present = {id(a): a for a in (n.out().constant for g in model.all_graphs() for n in g) if a is not None}
    total = sum(a.nbytes for a in present.values())
    if total + sum(v.n_bytes for v in ordered) <= limit_bytes:
        return []
    inside: set[Hashable] = {digest(a) for a in present.values()}
    outside: dict[Hashable, Variable] = {}
    left: list[Variable] = []
    for variable in ordered:
        key = digest(variable.load())
        if key not in inside and total + variable.n_bytes > limit_bytes:
            left.append(variable)
            _share(variable, outside.setdefault(key, variable))
        elif key not in inside:
            inside.add(key)
            total += variable.n_bytes
    return left


def _share(variable: Variable, first: Variable) -> None:
    """Nobody writes either: both restore from one stored value."""
    variable.checkpoint_key, variable.slice_spec = first.checkpoint_key, first.slice_spec
