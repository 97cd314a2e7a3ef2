"""What is timed: each model with its form, and with the signature and keys that the first one is called by."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tfpare.errors import UsageError, nearest
from tfpare.feeds.hints import describe
from tfpare.feeds.spec import SignatureSpec
from tfpare.io import graphdef, keras_files
from tfpare.io.contract import contract_of
from tfpare.io.read import ReadOptions, read, sniff
from tfpare.ir.model import Model, Signature
from tfpare.measure.types import BenchmarkOptions, Via

_USUAL = ("serving_default", "serve")


@dataclass(frozen=True, slots=True)
class Subject:
    """One model to time.

    Attributes:
        source: as the user named it; path: what is loaded (a Keras file is exported first).
        keys: its name of each feed, by the first model's name.
    """

    source: Path
    path: Path
    form: str
    tags: tuple[str, ...]
    signatures: Mapping[str, Signature]
    signature: str
    keys: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Subjects:
    """All models; `model` is the first one as read, `spec` what is known about its inputs."""

    all: list[Subject]
    model: Model
    spec: SignatureSpec
    notes: list[str]


def subjects(sources: list[Path], options: BenchmarkOptions, stack: ExitStack) -> Subjects:
    """Reads the first model, and as much of the others as it takes to call them.

    Raises:
        UsageError: no such signature, or models that cannot be called alike.
        UnsupportedModel: one is no model.
    """
    paths = [exported(source, stack) for source in sources]
    model = read(paths[0], _read_options(options))[0]
    name = pick_signature(model.signatures, options.signature, sources[0])
    signature = model.signatures[name]
    own = {k: k for k in signature.inputs}
    first = Subject(sources[0], model.path, model.form, model.tags, model.signatures, name, own)
    rest = [_other(s, p, first, options) for s, p in zip(sources[1:], paths[1:], strict=True)]
    return Subjects([first, *rest], model, describe(model, signature), list(model.notes))


def _read_options(options: BenchmarkOptions) -> ReadOptions:
    return ReadOptions(options.tags, (), options.input_names, options.output_names)


def exported(source: Path, stack: ExitStack) -> Path:
    """The model's files; of a Keras file those of its export, which `stack` removes."""
    if sniff(source) != "keras":
        return source
    out = Path(stack.enter_context(TemporaryDirectory(prefix="tfpare-"))) / "exported"
    keras_files.export(source, out)
    return out


def pick_signature(known: Mapping[str, Signature], wanted: str, path: Path) -> str:
    """The signature that was asked for, else a usual one, else the first that has inputs.

    Raises:
        UsageError: there is none (of that name).
    """
    callable_ = [n for n, s in known.items() if s.outputs]
    if wanted:
        if wanted not in known:
            raise UsageError(f"{path} has no signature {wanted!r}.{nearest(wanted, known)}")
        return wanted
    if not callable_:
        raise UsageError(f"{path} has no signature with outputs: there is nothing to call.")
    with_inputs = [n for n in callable_ if known[n].inputs]
    return next((n for n in _USUAL if n in callable_), (with_inputs or callable_)[0])


def _other(source: Path, path: Path, first: Subject, options: BenchmarkOptions) -> Subject:
    form = sniff(path)
    if form == "saved_model":
        contract = contract_of(path, first.tags, first.signatures)
        signatures, tags, form = contract.signatures, contract.tags, contract.form
    elif form == "graphdef" and _has_tensors(path, first.signatures[first.signature]):
        signatures, tags = first.signatures, ()
    else:
        model = read(path, _read_options(options))[0]
        path, signatures, tags, form = model.path, model.signatures, model.tags, model.form
    wanted = options.signature if options.signature in signatures else ""
    name = first.signature if first.signature in signatures else pick_signature(signatures, wanted, source)
    keys = _matching_keys(first.signatures[first.signature], signatures[name], first.source, source)
    return Subject(source, path, form, tags, signatures, name, keys)


def _has_tensors(path: Path, signature: Signature) -> bool:
    nodes = {n.name for n in graphdef.read_graphdef(path).node}
    infos = [*signature.inputs.values(), *signature.outputs.values()]
    return all(t.rpartition(":")[0] in nodes for i in infos for t in i.tensors)


def _matching_keys(a: Signature, b: Signature, a_path: Path, b_path: Path) -> dict[str, str]:
    """By equal names, else by place where dtypes agree."""
    if a.inputs.keys() == b.inputs.keys():
        return {k: k for k in a.inputs}
    pairs = list(zip(a.inputs, b.inputs, strict=False))
    same = len(a.inputs) == len(b.inputs) and all(a.inputs[x].dtype == b.inputs[y].dtype for x, y in pairs)
    if not same:
        raise UsageError(
            f"{b_path} takes {sorted(b.inputs)}, {a_path} takes {sorted(a.inputs)}: they cannot be called with the "
            "same inputs. Choose a signature with --signature_def that both have."
        )
    return dict(pairs)


def choose_via(wanted: Via, found: list[Subject]) -> Via:
    """The call path that all models share: a difference of paths would count as one of models.

    Raises:
        UsageError: a model cannot be called in the way that was asked for.
    """
    forms = {s.form for s in found}
    if wanted is Via.AUTO:
        return Via.SIGNATURE if forms == {"saved_model_v2"} else Via.SESSION
    bare = [s for s in found if not s.form.startswith("saved_model")]
    if bare and wanted is not Via.SESSION:
        raise UsageError(f"{bare[0].source} is no SavedModel: it runs in a Session only (--via session).")
    return wanted
