"""Nodes that have another name and are otherwise equal: found by a hash of each with all that it depends on."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Mapping

from tfpare.diffing.nodes import Names, local_key
from tfpare.io.contents import NodeContents
from tfpare.structure import inputs_first

Nodes = Mapping[str, NodeContents]


def match_renamed(a: Nodes, b: Nodes, functions: Mapping[str, str], internal: bool) -> dict[str, str]:
    """Names in A and B of nodes with equal op, device, attributes and, but for such names, equal inputs.

    Only nodes are matched whose name the other graph lacks. Where several are equal, the ones that the same readers
    read belong together. The time is linear in the size of the graphs.

    Args:
        a: all nodes of A.
        b: all nodes of B.
        functions: functions of A that have other names in B.
        internal: whether internal attributes count.
    """
    only_a = {n: x for n, x in a.items() if n not in b}
    only_b = {n: x for n, x in b.items() if n not in a}
    if not only_a or not only_b:
        return {}
    keys_a = structural_keys(only_a, Names(functions=functions), internal)
    keys_b = structural_keys(only_b, Names(), internal)
    matching = _Matching(only_a, only_b, keys_a, keys_b)
    for name, node in a.items():
        if name in b:
            matching.add_inputs(node, b[name])
    matching.add_rest()
    return _consistent(only_a, only_b, matching.pairs)


class _Matching:
    """Pairs of nodes with equal keys; the inputs of a pair are paired next."""

    def __init__(self, a: Nodes, b: Nodes, keys_a: Mapping[str, str], keys_b: Mapping[str, str]) -> None:
        self.pairs: dict[str, str] = {}
        self._taken: set[str] = set()
        self._a, self._b, self._keys_a, self._keys_b = a, b, keys_a, keys_b

    def add_inputs(self, a: NodeContents, b: NodeContents) -> None:
        """Pairs what two nodes read at the same place, and what that reads."""
        stack = [(a, b)]
        while stack:
            one, other = stack.pop()
            for x, y in zip(map(_node_name, one.inputs), map(_node_name, other.inputs), strict=False):
                if x != y and x in self._a and y in self._b and self._add(x, y):
                    stack.append((self._a[x], self._b[y]))

    def add_rest(self) -> None:
        """Pairs what is left, readers first."""
        waiting: dict[str, deque[str]] = {}
        for name in reversed(list(self._keys_b)):
            waiting.setdefault(self._keys_b[name], deque()).append(name)
        for name in reversed(list(self._keys_a)):
            queue = waiting.get(self._keys_a[name])
            while queue and name not in self.pairs:
                other = queue.popleft()
                if self._add(name, other):
                    self.add_inputs(self._a[name], self._b[other])

    def _add(self, a: str, b: str) -> bool:
        if a in self.pairs or b in self._taken or self._keys_a[a] != self._keys_b[b]:
            return False
        self.pairs[a] = b
        self._taken.add(b)
        return True


def _consistent(a: Nodes, b: Nodes, pairs: dict[str, str]) -> dict[str, str]:
    """Without pairs whose inputs are no pairs: two nodes may be equal, and yet one be read twice and the other not."""
    readers: dict[str, list[str]] = {}
    for name in pairs:
        for read in _reads(a[name], a):
            readers.setdefault(read, []).append(name)
    names, doubtful = Names(pairs), list(pairs)
    while doubtful:
        name = doubtful.pop()
        if name in pairs and not _agree(a[name], b[pairs[name]], names):
            del pairs[name]
            doubtful.extend(readers.get(name, ()))
    return {name: pairs[name] for name in a if name in pairs}


def _agree(a: NodeContents, b: NodeContents, names: Names) -> bool:
    return tuple(map(names.ref, a.inputs)) == b.inputs and frozenset(map(names.ref, a.controls)) == b.controls


def structural_keys(nodes: Nodes, names: Names, internal: bool) -> dict[str, str]:
    """A hash for each node that is equal for equal computations, inputs before their readers.

    What is not among `nodes` counts by its name. A loop is cut where Merge reads NextIteration; what is in any other
    circle counts by its op.
    """
    keys: dict[str, str] = {}

    def token(ref: str) -> Hashable:
        name, _, port = ref.partition(":")
        if name in keys:
            return "key", keys[name], port
        return ("circle", names.op(nodes[name].op), port) if name in nodes else ("name", ref)

    ordered = inputs_first({n: _forward_reads(node, nodes) for n, node in nodes.items()})
    for name in ordered:
        keys[name] = _hash(nodes[name], names, internal, token)
    keys.update({n: _hash(node, names, internal, token) for n, node in nodes.items() if n not in ordered})
    return keys


def _hash(node: NodeContents, names: Names, internal: bool, token: Callable[[str], Hashable]) -> str:
    inputs, controls = [token(i) for i in node.inputs], sorted(repr(token(c)) for c in node.controls)
    return digest((local_key(node, names, internal), inputs, controls))


def digest(value: object) -> str:
    """A hash of what has a faithful `repr`."""
    return hashlib.blake2b(repr(value).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _node_name(ref: str) -> str:
    return ref.partition(":")[0]


def _reads(node: NodeContents, nodes: Nodes) -> Iterable[str]:
    return (n for n in map(_node_name, (*node.inputs, *node.controls)) if n in nodes)


def _forward_reads(node: NodeContents, nodes: Nodes) -> Iterable[str]:
    reads = _reads(node, nodes)
    if node.op not in ("Merge", "RefMerge"):
        return reads
    return (n for n in reads if not nodes[n].op.endswith("NextIteration"))
