"""y = f(x) → y = Print(f(x)): values are written to stderr when they are computed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tfpare.compat.bodies import CONTROL, Body, bodies
from tfpare.compat.registry import transform
from tfpare.compat.work import Work
from tfpare.engine.rule import Effect
from tfpare.ir.ops import CONTROL_FLOW_V1
from tfpare.ir.types import DType

_NOT_PRINTED = frozenset({"resource", "variant"})


@dataclass(frozen=True, slots=True)
class Log:
    """How values are printed: what the transform's arguments say."""

    message: str
    show_name: bool
    show_op: bool
    first_n: int
    summarize: int

    def text(self, op: str, print_name: str) -> str:
        """What stands before the values."""
        return (f";{op};" if self.show_op else "") + (f";{print_name};" if self.show_name else "") + self.message


@transform(effect=Effect.EXACT)
def insert_logging(
    work: Work,
    *,
    op: tuple[str, ...] = (),
    prefix: tuple[str, ...] = (),
    message: str = "",
    show_name: bool = False,
    show_op: bool = False,
    first_n: int = -1,
    summarize: int = 1024,
) -> None:
    """Prints every output that is read of the nodes of the given ops, or whose names begin with one of the prefixes.

    The Print of a node NAME is called NAME__print__; readers of the first of the outputs read it.

    Differs: if not the first output is read but another, its readers read the Print; if none is read, those who wait
    for the node wait for the Print; ops without outputs have nothing to print. If the arguments choose nothing but
    outputs of the graph, these are printed, and an Identity behind the Print has their name. References, resources,
    and the ops of TF 1 loops and branches, of which only some outputs exist at a time, are not printed, and a note
    says so. Function bodies take part.
    Source: the Graph Transform Tool's insert_logging.
    """
    log = Log(message, show_name, show_op, first_n, summarize)
    for body in bodies(work):
        chosen = [n for n in body.nodes if (not op or n.op in op) and (not prefix or n.name.startswith(prefix))]
        done = [_log(work, body, n, body.ports_read(n.name), log) for n in chosen]
        if body.is_main and not any(done):
            _log_outputs(work, body, chosen, log)


def _log_outputs(work: Work, body: Body, chosen: list[Any], log: Log) -> None:
    fetched: dict[str, set[int]] = {}
    for name, port in (body.parse(t) for t in work.outputs):
        fetched.setdefault(name, set()).add(port)
    for node in [n for n in chosen if n.name in fetched]:
        _log(work, body, node, fetched[node.name], log, is_output=True)


def _log(work: Work, body: Body, node: Any, ports: set[int], log: Log, is_output: bool = False) -> bool:
    """Prints the given outputs of a node where that is possible; says whether it is."""
    if not ports:
        return False
    types = _types(body, node, ports)
    printed = sorted(ports - {CONTROL}) or [0]
    reason = _obstacle(node, [types.get(p) for p in printed])
    if reason:
        work.notes.append(f"{node.op} {node.name!r} is not printed: {reason}.")
        return False
    name = body.fresh_name(f"{node.name}__print__")
    if is_output:
        _move(body, node, max(printed), types)
    _insert(body, node, name, printed, types, log)
    return True


def _obstacle(node: Any, types: list[DType | None]) -> str:
    if node.op in CONTROL_FLOW_V1:
        return "it belongs to a loop or branch"
    if any(t is None for t in types):
        return "it has no outputs, or of unknown types"
    if any(t is not None and (t.is_ref or t.name in _NOT_PRINTED) for t in types):
        return "it gives a reference or resource"
    return ""


def _types(body: Body, node: Any, ports: set[int]) -> dict[int, DType]:
    """Types of the outputs that are known."""
    known = body.output_types(node)
    if known is not None:
        return dict(enumerate(known))
    expected = {p: body.type_of(body.spell(node.name, p)) for p in ports - {CONTROL}}
    return {p: t for p, t in expected.items() if t is not None}


def _move(body: Body, node: Any, last: int, types: dict[int, DType]) -> None:
    """Gives the node another name; one that copies its outputs takes the old one for callers."""
    name, inner = node.name, body.fresh_name(f"{node.name}/logged")
    body.rename({name: inner})
    sources = [body.spell(inner, p) for p in range(last + 1)]
    if last == 0:
        body.add("Identity", name, sources, T=types[0].base)
    else:
        body.add("IdentityN", name, sources, T=tuple(types[p].base for p in range(last + 1)))


def _insert(body: Body, node: Any, name: str, printed: list[int], types: dict[int, DType], log: Log) -> None:
    first, is_read = printed[0], bool(body.ports_read(node.name) - {CONTROL})
    data = [f"{node.name}:{p}" if body.is_main else body.spell(node.name, p) for p in printed]
    body.add(
        "Print",
        name,
        [data[0], *data],
        T=types[first].base,
        U=tuple(types[p].base for p in printed),
        message=log.text(node.op, name),
        first_n=log.first_n,
        summarize=log.summarize,
    ).device = node.device
    new = f"{name}:0" if body.is_main else body.spell(name)
    if is_read:
        body.redirect(node.name, lambda port: new if port == first else None, but=[name])
    else:
        body.redirect(node.name, lambda port: f"^{name}" if port == CONTROL else None, but=[name])
    if body.function is not None:
        body.function.signature.is_stateful = True
