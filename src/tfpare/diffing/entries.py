"""Things that have a name and facts: signatures, variables, assets, saved objects, other parts of a MetaGraph."""

from __future__ import annotations

from collections.abc import Mapping

from tfpare.diffing.types import EntryChange, FieldChange, SectionDiff
from tfpare.diffing.values import compare_values
from tfpare.io.contents import StoredTensor, plain_ref
from tfpare.ir.model import Signature, TensorInfo

Facts = Mapping[str, str]


def diff_fields(a: Facts, b: Facts) -> list[FieldChange]:
    """The facts that differ."""
    return [FieldChange(k, a.get(k), b.get(k)) for k in {**a, **b} if a.get(k) != b.get(k)]


def diff_entries(a: Mapping[str, Facts], b: Mapping[str, Facts]) -> SectionDiff:
    """What only one has, and whose facts differ."""
    found = _only(a, b)
    for name in a:
        fields = diff_fields(a[name], b[name]) if name in b else []
        if fields:
            found.changed.append(EntryChange(name, fields))
    return found


def diff_tensors(a: Mapping[str, StoredTensor], b: Mapping[str, StoredTensor]) -> SectionDiff:
    """Two checkpoints; one pair of values is in memory at a time.

    Raises:
        UnsupportedModel: a value cannot be read.
    """
    found = _only(a, b)
    for name in a:
        value = compare_values(a[name].load(), b[name].load()) if name in b else None
        if value is not None:
            found.changed.append(EntryChange(name, [], value))
    return found


def _only(a: Mapping[str, object], b: Mapping[str, object]) -> SectionDiff:
    return SectionDiff([n for n in a if n not in b], [n for n in b if n not in a])


def signature_facts(signatures: Mapping[str, Signature]) -> dict[str, dict[str, str]]:
    """The facts of each signature (its method) and of each of its inputs and outputs."""
    facts: dict[str, dict[str, str]] = {}
    for name, signature in signatures.items():
        facts[name] = {"method": signature.method}
        facts.update((f"{name}, input {k}", _tensor_facts(i)) for k, i in signature.inputs.items())
        facts.update((f"{name}, output {k}", _tensor_facts(i)) for k, i in signature.outputs.items())
    return facts


def _tensor_facts(info: TensorInfo) -> dict[str, str]:
    tensors = ", ".join(plain_ref(t) for t in info.tensors)
    return {"dtype": str(info.dtype), "shape": str(info.shape), "tensor": tensors}
