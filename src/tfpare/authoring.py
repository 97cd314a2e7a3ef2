"""Everything that the author of a rule imports."""

from tfpare.engine.builder import Builder
from tfpare.engine.pattern import any_, const, op
from tfpare.engine.rule import Declined, Effect, require, rewrite
from tfpare.ir.graph import Node, Value
from tfpare.ir.types import UNKNOWN, Array, Attr, DType, Shape, dtype

__all__ = [
    "UNKNOWN",
    "Array",
    "Attr",
    "Builder",
    "DType",
    "Declined",
    "Effect",
    "Node",
    "Shape",
    "Value",
    "any_",
    "const",
    "dtype",
    "op",
    "require",
    "rewrite",
]
