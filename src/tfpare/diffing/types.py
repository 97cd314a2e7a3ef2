"""What `tfpare diff` reports. A is the first model, B the second; None is what one of them does not have."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class DiffOptions:
    """What counts as a difference.

    Attributes:
        tags: the MetaGraph to compare, all of them by default.
        versions: the versions of the graph format and of TensorFlow count.
        internal_attrs: attributes count whose names begin with an underscore.
    """

    tags: tuple[str, ...] | None = None
    versions: bool = False
    internal_attrs: bool = False


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One fact that is `a` in A and `b` in B."""

    field: str
    a: str | None
    b: str | None


@dataclass(frozen=True, slots=True)
class ValueChange:
    """Two tensors that are not equal bit for bit.

    Attributes:
        a, b: dtype and shape.
        compared: pairs of entries, 0 where the shapes differ; unequal: pairs that differ.
        max_abs: the largest difference, NaN where a number stands against a NaN; None where nothing can be subtracted.
    """

    a: str
    b: str
    compared: int = 0
    unequal: int = 0
    max_abs: float | None = None


@dataclass(frozen=True, slots=True)
class NodeEntry:
    """A node that only one graph has."""

    name: str
    op: str


@dataclass(frozen=True, slots=True)
class Renaming:
    """Two that are equal in all but their names."""

    a: str
    b: str
    op: str = ""


@dataclass(frozen=True, slots=True)
class NodeChange:
    """A node that both graphs have.

    Attributes:
        is_renaming: it only reads or calls what has another name in B.
    """

    name: str
    op: str
    fields: list[FieldChange]
    value: ValueChange | None = None
    is_renaming: bool = False


@dataclass(slots=True)
class GraphDiff:
    """The main graph, or the body of a function.

    Attributes:
        internal: nodes that differ in internal attributes, where these do not count.
    """

    only_in_a: list[NodeEntry] = field(default_factory=list[NodeEntry])
    only_in_b: list[NodeEntry] = field(default_factory=list[NodeEntry])
    renamed: list[Renaming] = field(default_factory=list[Renaming])
    changed: list[NodeChange] = field(default_factory=list[NodeChange])
    internal: int = 0

    @property
    def is_equal(self) -> bool:
        """Whether nothing differs that counts."""
        return not (self.only_in_a or self.only_in_b or self.renamed or self.changed)

    @property
    def is_renaming(self) -> bool:
        """Whether nothing differs but names."""
        return not (self.only_in_a or self.only_in_b) and all(c.is_renaming for c in self.changed)


@dataclass(frozen=True, slots=True)
class FunctionDiff:
    """A function that both have, under the names `a` and `b`."""

    a: str
    b: str
    fields: list[FieldChange]
    body: GraphDiff

    @property
    def is_renaming(self) -> bool:
        """Whether nothing differs but names."""
        return not self.fields and self.body.is_renaming


@dataclass(slots=True)
class FunctionsDiff:
    """The libraries."""

    only_in_a: list[str] = field(default_factory=list[str])
    only_in_b: list[str] = field(default_factory=list[str])
    renamed: list[Renaming] = field(default_factory=list[Renaming])
    changed: list[FunctionDiff] = field(default_factory=list[FunctionDiff])
    internal: int = 0

    @property
    def is_equal(self) -> bool:
        """Whether nothing differs that counts."""
        return not (self.only_in_a or self.only_in_b or self.renamed or self.changed)

    @property
    def is_renaming(self) -> bool:
        """Whether nothing differs but names."""
        return not (self.only_in_a or self.only_in_b) and all(c.is_renaming for c in self.changed)


@dataclass(frozen=True, slots=True)
class EntryChange:
    """A signature's input, a variable, an asset, ... that both have."""

    name: str
    fields: list[FieldChange]
    value: ValueChange | None = None


@dataclass(slots=True)
class SectionDiff:
    """Things with names: signatures, variables, assets, saved objects, other parts."""

    only_in_a: list[str] = field(default_factory=list[str])
    only_in_b: list[str] = field(default_factory=list[str])
    changed: list[EntryChange] = field(default_factory=list[EntryChange])

    @property
    def is_equal(self) -> bool:
        """Whether nothing differs."""
        return not (self.only_in_a or self.only_in_b or self.changed)


@dataclass(frozen=True, slots=True)
class OpDiff:
    """How often an op occurs, function bodies included."""

    op: str
    a: int
    b: int


@dataclass(slots=True)
class MetaGraphDiff:
    """One MetaGraph of each model, or their only graphs.

    Attributes:
        nodes_a, nodes_b: function bodies included.
        ops: the ops whose counts differ.
        sections: by what they hold; those that are equal are left out.
        versions: what differs; it counts when the caller said so.
    """

    tags_a: tuple[str, ...]
    tags_b: tuple[str, ...]
    nodes_a: int
    nodes_b: int
    ops: list[OpDiff]
    graph: GraphDiff
    functions: FunctionsDiff
    sections: dict[str, SectionDiff]
    versions: list[FieldChange]

    @property
    def is_equal(self) -> bool:
        """Whether nothing differs that always counts."""
        same_tags = self.tags_a == self.tags_b
        return same_tags and self.graph.is_equal and self.functions.is_equal and not self.sections

    @property
    def is_renaming(self) -> bool:
        """Whether nothing differs but names of nodes and functions."""
        same_tags = self.tags_a == self.tags_b
        return same_tags and self.graph.is_renaming and self.functions.is_renaming and not self.sections


@dataclass(slots=True)
class DiffReport:
    """The whole answer.

    Attributes:
        verdict: `equal`, `renamed` (equal but for names of nodes and functions) or `different`.
        only_in_a, only_in_b: tag sets of MetaGraphs without a counterpart.
        notes: what was not compared, and why.
    """

    a: Path
    b: Path
    form_a: str
    form_b: str
    verdict: str = "equal"
    graphs: list[MetaGraphDiff] = field(default_factory=list[MetaGraphDiff])
    only_in_a: list[str] = field(default_factory=list[str])
    only_in_b: list[str] = field(default_factory=list[str])
    notes: list[str] = field(default_factory=list[str])

    @property
    def is_equal(self) -> bool:
        """Whether the models are equal."""
        return self.verdict == "equal"
