"""What the user of a model should know before optimizing or serving it: each a plain statement with an example."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tfpare.io.inspect import GraphFacts, NodeFacts
from tfpare.io.inspect_keras import KerasFacts
from tfpare.ir.ops import CONTROL_FLOW_V1

_FILE_OPS = re.compile(
    r"^((Read|Write)File|MatchingFiles|(Save|Restore)(V2|Slices?)?|MergeV2Checkpoints|Print(V2)?|Rpc\w+"
    r"|(TextLine|TFRecord|WholeFile|FixedLengthRecord|LMDB)Reader(V2)?|DebugIdentity(V2)?"
    r"|(TextLine|TFRecord|FixedLengthRecord|Sql|Save|Load)Dataset(V2)?)$"
)
_PYTHON_OPS = frozenset(("PyFunc", "PyFuncStateless", "EagerPyFunc"))
_SUMMARIES = re.compile(r"^((Write)?(Scalar|Histogram|Image|Audio|Tensor)Summary(V2)?|(Merge|Write)Summary)$")
_UPDATES = re.compile(r"^(Sparse|Resource|ResourceSparse)?Apply[A-Z]\w+$")
_GRADIENTS = re.compile(r"(Grad(V\d)?|BackpropFilter(V\d)?|GradGrad)$")
_OPTIMIZER_STATE = re.compile(
    r"(/(Adam(_\d+)?|Momentum|Adagrad|RMSProp(_\d+)?|Ftrl(_\d+)?|ExponentialMovingAverage)$|OPTIMIZER_SLOT|^optimizer/)"
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One warning.

    Attributes:
        kind: stable name for scripts.
        count: nodes, files or tensors that it is about; example: one of them.
        n_bytes: what could be saved, or what is lost; 0 where bytes are not the point.
    """

    kind: str
    message: str
    count: int = 1
    example: str = ""
    n_bytes: int = 0


def find_in_graph(facts: GraphFacts) -> list[Finding]:
    """The warnings of one graph, the gravest first."""
    nodes = [*facts.nodes, *(n for body in facts.functions.values() for n in body)]
    found = [Finding("damaged", problem) for problem in facts.problems]
    found.extend(_assets(facts))
    found.extend(_recursive(facts.functions))
    for kind, message, test in _CHECKS:
        hits = [n for n in nodes if test(n)]
        if kind == "file_access":
            hits = [n for n in hits if not _is_saver(n, facts)]
        if hits:
            found.append(Finding(kind, message, len(hits), f"{hits[0].op} {hits[0].name!r}"))
    found.extend(_optimizer_state(facts))
    found.extend(_duplicates("variables", ((v.name, v.digest, v.n_bytes) for v in facts.stored)))
    found.extend(_duplicates("constants", ((n.name, n.digest, n.n_bytes) for n in nodes)))
    return found


def _is_dropout(node: NodeFacts) -> bool:
    return node.op == "RandomUniform" and "dropout" in node.name.lower()


_Check = tuple[str, str, Callable[[NodeFacts], bool]]
_CHECKS: tuple[_Check, ...] = (
    ("python_code", "calls Python functions, which are not part of the model", lambda n: n.op in _PYTHON_OPS),
    (
        "custom_op",
        "ops that this TensorFlow does not know (load them with --op_library)",
        lambda n: not n.is_registered,
    ),
    (
        "file_access",
        "reads or writes files, prints, or talks to the network when it runs",
        lambda n: _FILE_OPS.match(n.op) is not None,
    ),
    ("training", "batch norm in training mode: it takes statistics from each batch", lambda n: n.is_training),
    ("training", "dropout", _is_dropout),
    ("training", "optimizer updates", lambda n: _UPDATES.match(n.op) is not None),
    ("training", "gradient ops", lambda n: n.name.startswith("gradients/") or _GRADIENTS.search(n.op) is not None),
    ("training", "summaries", lambda n: _SUMMARIES.match(n.op) is not None),
    ("assert", "assertions (--remove-asserts drops them)", lambda n: n.op == "Assert"),
    ("control_flow_v1", "TF 1 control flow (Switch, Merge, Enter, …)", lambda n: n.op in CONTROL_FLOW_V1),
)


def _is_saver(node: NodeFacts, facts: GraphFacts) -> bool:
    """Whether the node saves or restores the model's own variables."""
    if not node.op.startswith(("Save", "Restore", "Merge")):
        return False
    scope = node.name.rpartition("/")[0]
    own = any(node.name.startswith(f"{s}/") for s in facts.saver_scopes)
    # Object-based models save through functions of their own, whose nodes have no scope.
    return own or scope == "save" or (not scope and not any(n is node for n in facts.nodes))


def _assets(facts: GraphFacts) -> Iterable[Finding]:
    for asset in facts.assets:
        if asset.escapes:
            yield Finding("asset_escapes", "an asset path leaves the model's assets directory", 1, asset.name)
        elif not asset.exists:
            yield Finding("asset_missing", "an asset file is missing", 1, asset.name)


def _recursive(functions: dict[str, list[NodeFacts]]) -> Iterable[Finding]:
    calls = {name: [c for n in body for c in n.calls if c in functions] for name, body in functions.items()}
    callers: dict[str, list[str]] = {name: [] for name in calls}
    for name, called in calls.items():
        for one in called:
            callers[one].append(name)
    # What never becomes free of unresolved calls is in a circle, or calls into one; a circle also feeds itself.
    waiting = {name: len(called) for name, called in calls.items()}
    ready = [name for name, count in waiting.items() if count == 0]
    while ready:
        for caller in callers[ready.pop()]:
            waiting[caller] -= 1
            if waiting[caller] == 0:
                ready.append(caller)
    circular = [name for name, count in waiting.items() if count > 0]
    if circular:
        yield Finding(
            "recursive_function", "functions that call themselves, or such a function", len(circular), circular[0]
        )


def _optimizer_state(facts: GraphFacts) -> Iterable[Finding]:
    slots = [v for v in facts.stored if _OPTIMIZER_STATE.search(v.name)]
    if slots:
        total = sum(v.n_bytes for v in slots)
        yield Finding(
            "optimizer_state", "optimizer state or averages in the checkpoint", len(slots), slots[0].name, total
        )


def _duplicates(what: str, tensors: Iterable[tuple[str, str, int]]) -> Iterable[Finding]:
    seen: dict[str, str] = {}
    again: list[str] = []
    saved = 0
    for name, digest, size in tensors:
        if digest and digest in seen:
            again.append(f"{name} = {seen[digest]}")
            saved += size
        elif digest:
            seen[digest] = name
    if again:
        yield Finding("duplicate_weights", f"{what} stored more than once", len(again), again[0], saved)


def find_in_keras(facts: KerasFacts) -> list[Finding]:
    """The warnings of a Keras file."""
    found: list[Finding] = []
    lambdas = [x.name for x in facts.layers if x.class_name == "Lambda"]
    if lambdas:
        found.append(
            Finding("python_code", "Lambda layers hold Python code: refused when loading", len(lambdas), lambdas[0])
        )
    foreign = [f"{x.module}.{x.class_name}" for x in facts.layers if x.module and not x.module.startswith("keras")]
    if foreign:
        found.append(Finding("custom_layer", "layers of classes outside Keras", len(foreign), foreign[0]))
    return found
