"""Ranges as constants, or as moving averages in variables that start with the first value."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from tfpare.ir.graph import Graph, Node, Value
from tfpare.ir.ops import typed_attrs
from tfpare.ir.types import Attr, Shape, dtype

DECAY = 0.999


class Averages:
    """Adds ranges to a graph.

    Attributes:
        variables: the variables that were added.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph, self.variables = graph, list[Node]()

    def constants(self, base: str, limits: tuple[float, float]) -> tuple[Value, Value]:
        """A known range."""
        return self._number(limits[0], f"{base}/InputMin"), self._number(limits[1], f"{base}/InputMax")

    def measured(self, base: str, value: Value) -> tuple[Value, Value]:
        """Moving averages of the least and the greatest element, or 0, of a tensor of any rank.

        FakeQuant would move a range without a 0, and give NaN for equal limits.
        """
        zero = self._number(0.0, f"{base}/Zero")
        decay, axes = self._number(DECAY, f"{base}/Decay"), f"{base}/ReductionAxes"
        start, step = (
            self.graph.const(np.array(n, np.int32), name=f"{axes}/{name}")
            for n, name in ((0, "RangeStart"), (1, "RangeDelta"))
        )
        rank = self._op("Rank", [value], f"{axes}/InputRank")
        every = self._op("Range", [start, rank, step], f"{axes}/ReductionAxes")
        low, high = (
            self._average(f"{base}/{end}", self._op(f"{end}imum", [seen, zero], f"{base}/{end}/WithZero"), decay)
            for end, seen in ((end, self._op(end, [value, every], f"{base}/{end}")) for end in ("Min", "Max"))
        )
        return low, high

    def _average(self, base: str, seen: Value, decay: Value) -> Value:
        """variable ← the first value seen, then variable − (variable − seen)·(1 − decay)."""
        attrs: dict[str, Attr] = {"dtype": dtype("float32"), "shape": Shape(())}
        variable = self.graph.add("VariableV2", (), attrs, name=f"{base}/Variable").out()
        self.variables.append(variable.node)
        is_set = self._op("IsVariableInitialized", [variable], f"{base}/IsInitialized", dtype=dtype("float32"))
        first = self._op("Switch", [seen, is_set], f"{base}/Switch")
        ema = f"{base}/EMA"
        rate = self._op("Sub", [self._number(1.0, f"{ema}/OneConst"), decay], f"{ema}/DecayComplement")
        difference = self._op("Sub", [variable, Value(first.node, 1)], f"{ema}/ValueDiff")
        update = self._op("Mul", [difference, rate], f"{ema}/UpdateValue")
        later = self._op("Sub", [variable, update], f"{ema}/EMAValue")
        merged = self._op("Merge", [first, later], f"{base}/Merge")
        return self._op("Assign", [variable, merged], f"{base}/AssignValue")

    def _number(self, number: float, name: str) -> Value:
        return self.graph.const(np.array(number, np.float32), name=name)

    def _op(self, op: str, inputs: Iterable[Value], name: str, **attrs: Attr) -> Value:
        values = list(inputs)
        known = typed_attrs(self.graph.registry(op), [v.dtype for v in values], attrs)
        return self.graph.add(op, values, known, name=name).out()
