"""Names of nodes → the shortest that are free."""

from __future__ import annotations

import itertools
import string
from collections.abc import Collection, Iterator

from tfpare.compat.bodies import bodies
from tfpare.compat.registry import transform
from tfpare.compat.renaming import rename_nodes
from tfpare.compat.work import Work
from tfpare.engine.rule import Effect

_DIGITS = string.digits + string.ascii_lowercase + string.ascii_uppercase


@transform(effect=Effect.EXACT, aliases=("obsfucate_names",))
def obfuscate_names(work: Work) -> None:
    """Names the nodes 0, 1, …, z, A, …, Z, 00, …; those that callers and initialisers use keep their names.

    Differs: callers' names count with and without `:0`; colocation constraints follow; the nodes of functions take
    part, while functions and their arguments keep their names.
    Source: the Graph Transform Tool's obfuscate_names.
    """
    for body in bodies(work):
        required = work.required_nodes() if body.is_main else set(body.arguments)
        free = short_names(required)
        names = {n.name: next(free) for n in body.nodes if n.name not in required}
        if body.is_main:
            rename_nodes(work, body, names)
        else:
            body.rename(names)


def short_names(taken: Collection[str]) -> Iterator[str]:
    """Names of digits and letters that are not taken, short ones first."""
    for length in itertools.count(1):
        for letters in itertools.product(_DIGITS, repeat=length):
            name = "".join(letters)
            if name not in taken:
                yield name
