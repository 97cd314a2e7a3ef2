"""What a source of samples gives: named records that are loaded when they are wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from tfpare.ir.types import Array


@dataclass(frozen=True, slots=True)
class Encoded:
    """Bytes of a file or feature: an encoded picture, raw numbers, or a string, as the input that takes it says."""

    data: bytes


Fields: TypeAlias = "dict[str, Array | Encoded]"
"""One sample as it is in the data: values by the data's own names, without a batch dimension."""


@dataclass(frozen=True, slots=True)
class Record:
    """One sample that has not been loaded yet.

    Attributes:
        name: for messages: file, line or number.
        load: gives its fields; raises `Unusable`.
    """

    name: str
    load: Callable[[], Fields]


class Source(Protocol):
    """Where records come from."""

    @property
    def description(self) -> str:
        """In words, for reports."""
        ...

    @property
    def size(self) -> int | None:
        """Number of records, None where it is only known at the end."""
        ...

    @property
    def is_flat(self) -> bool:
        """Whether arrays come without their shape and take that of the input."""
        ...

    def records(self) -> Iterator[Record]:
        """All records in a fixed order, from the first one on.

        Raises:
            DataError: the source breaks off.
        """
        ...
