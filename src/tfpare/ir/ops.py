"""What the IR needs to know of an operation: its arguments, their types, its defaults, whether it has state.

The facts come from TensorFlow's own op registry (`tfpare.io.op_registry`); this module only defines their form.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from tfpare.ir.types import Attr, DType, dtype


@dataclass(frozen=True, slots=True)
class ArgSpec:
    """One input or output argument of an op; it stands for several tensors when it has a number or list attribute."""

    name: str
    dtype: DType | None = None
    type_attr: str = ""
    number_attr: str = ""
    type_list_attr: str = ""
    is_ref: bool = False

    def dtypes(self, attrs: Mapping[str, Attr]) -> list[DType]:
        """The dtypes of the tensors that this argument stands for, given the node's attributes.

        Raises:
            KeyError: an attribute that the argument refers to is missing.
        """
        if self.type_list_attr:
            return [t for t in _tuple(attrs[self.type_list_attr]) if isinstance(t, DType)]
        one = attrs[self.type_attr] if self.type_attr else self.dtype
        if not isinstance(one, DType):
            raise KeyError(self.type_attr)
        if self.is_ref:
            one = dtype(one.name + "_ref")
        count = attrs[self.number_attr] if self.number_attr else 1
        return [one] * int(count) if isinstance(count, int) else [one]


@dataclass(frozen=True, slots=True)
class OpSpec:
    """An operation's signature as its registry declares it."""

    name: str
    inputs: tuple[ArgSpec, ...] = ()
    outputs: tuple[ArgSpec, ...] = ()
    defaults: Mapping[str, Attr] = field(default_factory=dict[str, Attr])
    attr_kinds: Mapping[str, str] = field(default_factory=dict[str, str])
    is_stateful: bool = False
    is_commutative: bool = False

    def output_dtypes(self, attrs: Mapping[str, Attr]) -> tuple[DType, ...]:
        """The dtypes of all output tensors in port order."""
        full = {**self.defaults, **attrs}
        return tuple(t for arg in self.outputs for t in arg.dtypes(full))

    def input_dtypes(self, attrs: Mapping[str, Attr]) -> tuple[DType, ...]:
        """The dtypes of all input tensors in order."""
        full = {**self.defaults, **attrs}
        return tuple(t for arg in self.inputs for t in arg.dtypes(full))

    def type_attrs(self, inputs: Sequence[DType]) -> dict[str, Attr]:
        """Type and number attributes that follow from the inputs' dtypes; at most one argument may be repeated."""
        found: dict[str, Attr] = {}
        position, repeated = 0, len(inputs) - len(self.inputs) + 1
        for arg in self.inputs:
            count = repeated if arg.number_attr or arg.type_list_attr else 1
            if arg.number_attr:
                found.setdefault(arg.number_attr, count)
            if arg.type_list_attr:
                found[arg.type_list_attr] = tuple(t.base for t in inputs[position : position + count])
            elif arg.type_attr and position < len(inputs):
                found.setdefault(arg.type_attr, inputs[position].base)
            position += count
        return found


def typed_attrs(spec: OpSpec | None, inputs: Sequence[DType], given: Mapping[str, Attr]) -> dict[str, Attr]:
    """The attributes of a node: those given, and the types that follow from its inputs where its op is known."""
    return {**(spec.type_attrs(inputs) if spec is not None else {}), **given}


Registry: TypeAlias = "Callable[[str], OpSpec | None]"
"""Looks an op up by name; None when nobody registered it."""


def _tuple(value: Attr) -> tuple[Attr, ...]:
    return value if isinstance(value, tuple) else (value,)


EFFECT_FREE = frozenset(
    "VarHandleOp VariableV2 Variable Placeholder PlaceholderWithDefault HashTableV2 HashTable MutableHashTableV2 "
    "ReadVariableOp ResourceGather ResourceGatherNd VariableShape VarIsInitializedOp LookupTableFindV2 LookupTableFind "
    "LookupTableSizeV2 RandomUniform RandomStandardNormal RandomUniformInt TruncatedNormal RandomShuffle Multinomial "
    "RandomGamma RandomPoissonV2 ParameterizedTruncatedNormal AnonymousHashTable TensorArrayV3 TensorArrayReadV3 "
    "TensorArrayGatherV3 TensorArraySizeV3 TensorArrayConcatV3 Stack StackV2 "
    "RefSwitch RefMerge RefEnter RefExit RefNextIteration RefIdentity RefSelect IsVariableInitialized "
    "IteratorGetNext _Arg".split()
)
"""Ops that only look as if they had an effect: nobody misses them when no one reads their result."""

RANDOM = frozenset(
    "RandomUniform RandomStandardNormal RandomUniformInt TruncatedNormal RandomShuffle Multinomial RandomGamma "
    "RandomPoissonV2 RandomPoisson ParameterizedTruncatedNormal AnonymousSeedGenerator StatefulUniform "
    "StatefulStandardNormalV2 SampleDistortedBoundingBoxV2 RandomCrop".split()
)

CONTROL_FLOW_V1 = frozenset(
    "Switch Merge Enter Exit NextIteration LoopCond RefSwitch RefMerge RefEnter RefExit RefNextIteration "
    "ControlTrigger".split()
)

PASS_THROUGH = frozenset({"Identity", "StopGradient", "PreventGradient", "Snapshot"})
"""Ops whose result is their first input, bit for bit, and that do nothing else."""

CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})


def is_effectful(op: str, spec: OpSpec | None) -> bool:
    """Whether running the op matters beyond its outputs; an unknown op is taken to do so.

    The registry does not call Assign, ScatterUpdate and their like stateful: they take a reference to what they write.
    """
    if op in EFFECT_FREE or op in CALLS:
        return False
    return spec is None or spec.is_stateful or any(a.is_ref for a in spec.inputs)
