"""The errors that users meet. Each says what is wrong, where, and what to do; `exit_code` is the command line's."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class TfpareError(Exception):
    """Base of all errors that tfpare raises on purpose."""

    exit_code = 3


class UsageError(TfpareError):
    """The call is wrong: an unknown option, signature, rule or input."""

    exit_code = 2


class UnsupportedModel(TfpareError):  # noqa: N818 - the field says "unsupported model"
    """The input is no model, is damaged, or is of a kind that is not supported."""

    exit_code = 3


class UnsupportedMachine(TfpareError):  # noqa: N818 - as UnsupportedModel
    """This computer lacks what the result would need."""

    exit_code = 3


class VerificationError(TfpareError):
    """The optimized model does not answer as the original did. `report` says where and by how much."""

    exit_code = 1

    def __init__(self, message: str, report: object = None) -> None:
        super().__init__(message)
        self.report = report


class InvariantError(TfpareError):
    """A pass or rule left the graph in a state that it may not have: a bug in tfpare."""

    exit_code = 3


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint such as ` Did you mean 'serve'?`, else the list of what is known (at most ten)."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if close:
        return f" Did you mean {close[0]!r}?"
    shown = ", ".join(repr(n) for n in names[:10]) + (", …" if len(names) > 10 else "")
    return f" Known: {shown}." if names else ""
