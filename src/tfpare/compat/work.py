"""The graph on its way through transforms: as protos or as the IR, whichever the transform at hand asks for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tfpare import pipeline
from tfpare.compat import rules as own_rules
from tfpare.engine.rule import RULES
from tfpare.io import graphdef, v1, whole_graph, write_v1
from tfpare.ir.model import Model, Signature, Variable
from tfpare.passes.base import PASSES, PassOptions
from tfpare.pipeline import StepReport


@dataclass(slots=True)
class Work:
    """A MetaGraph that transforms change one after the other.

    It is held either as protos (`proto`) or as the IR (`model`); asking for one form turns the other into it, so that
    transforms of one kind in a row convert nothing.

    Attributes:
        signatures: what callers feed and fetch; a bare graph has one, made of its input and output names.
        notes: what the user should know.
        reports: what the passes and rules did that transforms ran, by name.
        wants_defaults: whether attributes that equal their op's default are to be written (add_default_attributes).
    """

    signatures: dict[str, Signature]
    path: Path = Path(".")
    variables: dict[str, Variable] = field(default_factory=dict[str, Variable])
    notes: list[str] = field(default_factory=list[str])
    reports: dict[str, StepReport] = field(default_factory=dict[str, StepReport])
    wants_defaults: bool = False
    _meta_graph: Any = None
    _model: Model | None = None

    @classmethod
    def from_graph_def(cls, graph_def: Any, inputs: Iterable[str], outputs: Iterable[str]) -> Work:
        """A bare GraphDef, which is copied, with the names of the nodes or tensors that callers feed and fetch.

        Raises:
            UsageError: a name that the graph does not have.
            UnsupportedModel: the graph is damaged.
        """
        meta_graph, signature = whole_graph.bare_meta_graph(graph_def, inputs, outputs)
        return cls({signature.name: signature}, _meta_graph=meta_graph)

    @classmethod
    def from_model(cls, model: Model) -> Work:
        """A Session-style model, which is taken over."""
        return cls(model.signatures, model.path, model.variables, model.notes, _model=model)

    # -- the two forms ----------------------------------------------------------------------------------------------

    def proto(self) -> Any:
        """The GraphDef, to be changed in place."""
        return self._protos().graph_def

    def _protos(self) -> Any:
        if self._model is not None:
            model, self._model = self._model, None
            self.variables, self._meta_graph = model.variables, model.origin.meta_graph
            gradients = list(self._meta_graph.graph_def.library.gradient)
            self._meta_graph.graph_def.ClearField("library")
            write_v1.fill_graph_def(model, self._meta_graph.graph_def, share=False)
            whole_graph.restore_gradients(self._meta_graph.graph_def.library, gradients)
            if self.wants_defaults:
                whole_graph.add_defaults(self._meta_graph.graph_def)
        return self._meta_graph

    def model(self) -> Model:
        """The IR, to be changed in place; every node is there, needed or not.

        Raises:
            UnsupportedModel: the graph is damaged.
        """
        if self._model is None:
            meta_graph, self._meta_graph = self._meta_graph, None
            self._model = v1.read_meta_graph(
                self.path, "saved_model_v1", meta_graph, self.signatures, None, only_needed=False
            )
            self._model.variables, self._model.notes = self.variables, self.notes
        return self._model

    def simplify(
        self, passes: Iterable[str] = (), rules: Iterable[str] = (), options: PassOptions | None = None
    ) -> None:
        """Runs passes and rules (of `optimize`, or of transforms alone) by their names, on function bodies too."""
        pipeline.load_all()
        own_rules.load_all()
        chosen = [PASSES[p] for p in passes], [{**RULES, **own_rules.RULES}[r] for r in rules]
        line = pipeline.Pipeline(*chosen, options or PassOptions())
        line.run(self.model())
        for name, report in line.reports.items():
            self.reports.setdefault(name, pipeline.StepReport(name, report.kind, report.effect)).merge(report)

    def prune(self) -> Model:
        """Removes what neither outputs nor initialisers need; what callers feed stays."""
        model = self.model()
        for graph in model.graphs:
            graph.keep.clear()
            graph.sweep()
        return model

    def count_ops(self) -> Counter[str]:
        """How often each op occurs in the graph and its functions."""
        if self._model is not None:
            return Counter(n.op for g in self._model.all_graphs() for n in g if n.op != "_Arg")
        graph_def = self._meta_graph.graph_def
        nodes = [graph_def.node, *(f.node_def for f in graph_def.library.function)]
        return Counter(n.op for some in nodes for n in some)

    def count_nodes(self) -> int:
        """Nodes of the graph and its functions."""
        return self.count_ops().total()

    def node_lists(self) -> Iterator[Any]:
        """The NodeDefs of the graph, then of every function: repeated fields, to be changed in place."""
        graph_def = self.proto()
        yield graph_def.node
        for function in graph_def.library.function:
            yield function.node_def

    # -- names ------------------------------------------------------------------------------------------------------

    @property
    def inputs(self) -> list[str]:
        """Tensors that callers feed (`node:port`), each once."""
        return list(dict.fromkeys(t for s in self.signatures.values() for i in s.inputs.values() for t in i.tensors))

    @property
    def outputs(self) -> list[str]:
        """Tensors that callers fetch (`node:port`), each once."""
        return list(dict.fromkeys(t for s in self.signatures.values() for i in s.outputs.values() for t in i.tensors))

    def required_nodes(self) -> set[str]:
        """Names that callers and initialisers use: no transform may change them."""
        return {graphdef.node_name(t) for t in (*self.inputs, *self.outputs)} | self.initialisers()

    def initialisers(self) -> set[str]:
        """Names of nodes that run, or hold the names of files, before the first call."""
        meta_graph = self._meta_graph if self._model is None else self._model.origin.meta_graph
        return set(v1.initialiser_names(meta_graph))

    @property
    def holds_protos(self) -> bool:
        """Whether the graph is at hand as protos now."""
        return self._model is None

    def rename_tensors(self, node: str, new: str) -> None:
        """Lets the signatures name another node: for transforms that rename what callers use."""

        def renamed(signature: Signature) -> Signature:
            sides = [
                {
                    key: replace(
                        info,
                        tensors=tuple(
                            f"{new}:{graphdef.flat_port(t)[1]}" if graphdef.node_name(t) == node else t
                            for t in info.tensors
                        ),
                    )
                    for key, info in side.items()
                }
                for side in (signature.inputs, signature.outputs)
            ]
            return replace(signature, inputs=sides[0], outputs=sides[1])

        self.signatures = {name: renamed(s) for name, s in self.signatures.items()}

    # -- safety -----------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Proves that edges lead to nodes that exist, names are unique and callers find what they feed and fetch.

        Raises:
            InvariantError, UnsupportedModel: naming the node.
        """
        if self._model is not None:
            for graph in self._model.all_graphs():
                graph.check()
        else:
            whole_graph.check_edges(self._meta_graph.graph_def, self.required_nodes())

    def snapshot(self) -> Any:
        """What `restore` needs to come back here."""
        return deepcopy(self._protos()), dict(self.signatures), dict(self.variables), self.wants_defaults

    def restore(self, snapshot: Any) -> None:
        """Forgets what happened since."""
        self._model = None
        self._meta_graph, self.signatures, self.variables, self.wants_defaults = snapshot
