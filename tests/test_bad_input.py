"""Bad input: a clear error with the right exit code, no traceback, nothing written, nothing lost."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import tracemalloc
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from google.protobuf import text_format
from tensorflow.core.framework import graph_pb2
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2
from typer.testing import CliRunner

from tfpare.api import OptimizeOptions, optimize
from tfpare.cli.app import app
from tfpare.errors import TfpareError

FIXTURES = Path(__file__).parent / "data" / "fixtures"
FROZEN = FIXTURES / "tf1_mnist_convnet" / "frozen.pb"
CHECKPOINT = FIXTURES / "tf1_mnist_convnet" / "checkpoint"
V1 = FIXTURES / "tf1_estimator_dnn_text" / "saved_model"
V2 = FIXTURES / "tf2_functional_cf" / "saved_model"
DTYPES = FIXTURES / "tf2_mixed_dtypes" / "saved_model"
KERAS = FIXTURES / "tf2_keras_mnist"

USAGE, UNSUPPORTED = 2, 3


def hashes(path: Path) -> dict[str, str]:
    files = sorted(path.rglob("*")) if path.is_dir() else [path] if path.is_file() else []
    return {str(f): hashlib.sha256(f.read_bytes()).hexdigest() for f in files if f.is_file()}


def call(*arguments: object):
    return CliRunner().invoke(app, [str(a) for a in arguments])


def refused(result, code: int, *parts: str) -> str:
    """One message that says all of `parts`, and no traceback."""
    said = result.stderr
    assert result.exit_code == code, said
    assert said.startswith("tfpare: ")
    assert said.count("\n") == 1, said
    assert "Traceback" not in said
    assert "bug in tfpare" not in said
    assert "InvariantError" not in said
    for part in parts:
        assert part in said, said
    return said


def refuse_optimize(model: Path, tmp_path: Path, code: int, *parts: str, flags=("--no-verify",), suffix="") -> str:
    """`optimize` refuses the model, leaves it as it was, and leaves nothing else."""
    room = tmp_path / "room"
    room.mkdir(exist_ok=True)
    before = hashes(model)
    said = refused(call("optimize", model, "-o", room / f"out{suffix}", *flags), code, *parts)
    assert list(room.iterdir()) == []
    assert hashes(model) == before
    return said


def copied(source: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(source, tmp_path / "model"))


def edited(source: Path, tmp_path: Path, edit) -> Path:
    """A copy of a SavedModel whose first MetaGraph `edit` has changed."""
    model = copied(source, tmp_path)
    proto = saved_model_pb2.SavedModel.FromString((model / "saved_model.pb").read_bytes())
    edit(proto.meta_graphs[0])
    (model / "saved_model.pb").write_bytes(proto.SerializeToString())
    return model


def graph(tmp_path: Path, text: str) -> Path:
    """A `.pb` from a GraphDef in text form; `x` (float32 [?,2]) and its Relu `y` are there already."""
    base = """
    node { name: "x" op: "Placeholder" attr { key: "dtype" value { type: DT_FLOAT } }
           attr { key: "shape" value { shape { dim { size: -1 } dim { size: 2 } } } } }
    node { name: "y" op: "Relu" input: "x" attr { key: "T" value { type: DT_FLOAT } } }
    """
    path = tmp_path / "model.pb"
    path.write_bytes(text_format.Parse(base + text, graph_pb2.GraphDef()).SerializeToString())
    return path


FLOAT = 'attr { key: "T" value { type: DT_FLOAT } }'


def const(name: str, tensor: str, type_: str = "DT_FLOAT") -> str:
    return (
        f'node {{ name: "{name}" op: "Const" attr {{ key: "dtype" value {{ type: {type_} }} }} '
        f'attr {{ key: "value" value {{ tensor {{ dtype: {type_} {tensor} }} }} }} }}'
    )


# -- damaged files ---------------------------------------------------------------------------------------------------


def flipped(data: bytes, seed: int) -> bytes:
    """Cut off (every fifth) or with a few bits changed."""
    rng = random.Random(seed)
    if seed % 5 == 0:
        return data[: rng.randrange(len(data))]
    damaged = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 5, 20])):
        damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
    return bytes(damaged)


def survives(model: Path, out: Path) -> bool:
    """Whether it was optimized; where not, a TfpareError says why and nothing is left."""
    try:
        optimize(model, out, OptimizeOptions(verify=False))
    except TfpareError:
        assert not out.exists()
        assert not list(out.parent.glob(".out*"))
        return False
    shutil.rmtree(out)
    return True


def test_flipped_and_cut_graphdef(tmp_path):
    target, data = tmp_path / "model.pb", FROZEN.read_bytes()
    done = []
    for seed in range(60):
        target.write_bytes(flipped(data, seed))
        done.append(survives(target, tmp_path / "out"))
    assert 10 < sum(done) < 50  # most flips hit a weight and change a value, which nobody can see


@pytest.mark.parametrize("source", [V1, DTYPES])
def test_flipped_and_cut_saved_model(tmp_path, source):
    model, data = copied(source, tmp_path), (source / "saved_model.pb").read_bytes()
    done = []
    for seed in range(60):
        (model / "saved_model.pb").write_bytes(flipped(data, seed))
        done.append(survives(model, tmp_path / "out"))
    assert sum(done) < 50


def attributes(node, rng) -> None:
    value = node.attr[rng.choice(sorted(node.attr) or ["T"])]
    choice = rng.randrange(5)
    if choice == 0:
        value.i = rng.choice([-1, 0, 3, 2**31, 2**40, 2**62])
    elif choice == 1:
        value.type = rng.choice([0, 1, 3, 7, 20, 21, 101])
    elif choice == 2:
        value.s = rng.choice([b"", b"\xff", b"SAME", b"NCHW"])
    elif choice == 3:
        value.shape.dim.add(size=rng.choice([-5, 0, 2**40]))
    else:
        value.Clear()


def edges(node, rng, names) -> None:
    ref = rng.choice([*names, "", "^", ":", "a:b:c", "x:99999", f"{rng.choice(names)}:7", f"^{rng.choice(names)}"])
    if node.input and rng.random() < 0.7:
        node.input[rng.randrange(len(node.input))] = ref
    else:
        node.input.append(ref)


def mutate(graph_def, rng) -> None:
    """Changes that a parser does not see: attributes, edges, ops, names."""
    nodes = [*graph_def.node, *(n for f in graph_def.library.function for n in f.node_def)]
    node, names = rng.choice(nodes), [n.name for n in nodes]
    choice = rng.randrange(6)
    if choice < 2:
        attributes(node, rng)
    elif choice < 4:
        edges(node, rng, names)
    elif choice == 4:
        node.op = rng.choice([n.op for n in nodes] + ["While", "NoOp", "Merge", "Split", "NoSuchOp", ""])
    else:
        node.name = rng.choice([*names, "", "a b", "\N{GREEK SMALL LETTER PI}"])


@pytest.mark.parametrize("source", [FIXTURES / "tf1_control_flow" / "frozen.pb", V1, DTYPES])
def test_graphs_that_parse_but_are_wrong(tmp_path, source):
    model = copied(source, tmp_path) if source.is_dir() else tmp_path / "model.pb"
    file = model / "saved_model.pb" if source.is_dir() else model
    kind = saved_model_pb2.SavedModel if source.is_dir() else graph_pb2.GraphDef
    data = (source / "saved_model.pb" if source.is_dir() else source).read_bytes()
    for seed in range(25):
        rng, proto = random.Random(seed), kind.FromString(data)
        mutate(proto.meta_graphs[0].graph_def if source.is_dir() else proto, rng)
        file.write_bytes(proto.SerializeToString())
        survives(model, tmp_path / "out")


def test_flipped_text_graph(tmp_path):
    target, text = (
        tmp_path / "model.pbtxt",
        text_format.MessageToString(graph_pb2.GraphDef.FromString(FROZEN.read_bytes())),
    )
    for seed in range(10):
        target.write_bytes(flipped(text.encode(), seed))
        survives(target, tmp_path / "out")


# -- no model at all -------------------------------------------------------------------------------------------------


def make_none(path: Path) -> None:
    del path


def make_empty_directory(path: Path) -> None:
    path.mkdir()


def make_directory(path: Path) -> None:
    path.mkdir()
    (path / "notes.txt").write_text("no model")


def make_empty_saved_model(path: Path) -> None:
    path.mkdir()
    (path / "saved_model.pb").touch()


def make_text(path: Path) -> None:
    path.write_text("Dear diary,\n")


def make_archive(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a", "b")


NO_MODELS = {
    "missing": (make_none, "does not exist"),
    "empty_directory": (make_empty_directory, "without saved_model.pb"),
    "directory": (make_directory, "without saved_model.pb"),
    "empty_saved_model": (make_empty_saved_model, "no MetaGraph"),
    "empty_file": (Path.touch, "no graph nodes"),
    "text": (make_text, "neither a binary nor a text GraphDef"),
    "archive": (make_archive, "neither a binary nor a text GraphDef"),
    "empty.keras": (Path.touch, "Keras"),
    "text.keras": (make_text, "Keras"),
    "archive.keras": (make_archive, "config.json"),
    "text.h5": (make_text, "Keras"),
}


@pytest.mark.parametrize("name", NO_MODELS)
def test_what_is_no_model(tmp_path, name):
    make, says = NO_MODELS[name]
    path = tmp_path / name
    make(path)
    refuse_optimize(path, tmp_path, UNSUPPORTED, str(path), says)
    refused(call("inspect", path), UNSUPPORTED, str(path))


@pytest.mark.parametrize("name", ["missing", "directory", "text"])
def test_what_cannot_be_verified(tmp_path, name):
    make, says = NO_MODELS[name]
    make(tmp_path / name)
    refused(call("verify", tmp_path / name, FROZEN), UNSUPPORTED, str(tmp_path / name), says)
    refused(call("verify", FROZEN, tmp_path / name), UNSUPPORTED, str(tmp_path / name), says)


# -- variables -------------------------------------------------------------------------------------------------------


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


VARIABLES = {
    "index is missing": (".index", Path.unlink, ".index is missing"),
    "index is cut off": (".index", cut, "cannot be read"),
    "data is missing": (".data-00000-of-00001", Path.unlink, "missing or cut off"),
    "data is cut off": (".data-00000-of-00001", cut, "missing or cut off"),
}


@pytest.mark.parametrize("case", VARIABLES)
@pytest.mark.parametrize("kind", ["v1", "v2", "checkpoint"])
def test_variables(tmp_path, kind, case):
    suffix, damage, says = VARIABLES[case]
    source = {"v1": FIXTURES / "tf1_mnist_convnet" / "saved_model", "v2": V2, "checkpoint": CHECKPOINT}[kind]
    folder = copied(source, tmp_path)
    prefix = folder / "model.ckpt-936" if kind == "checkpoint" else folder / "variables" / "variables"
    damage(Path(f"{prefix}{suffix}"))
    model = prefix if kind == "checkpoint" else folder
    if kind == "v1" and case == "index is missing":
        says = "has variables"
    flags = ["--no-verify"]
    if kind == "checkpoint":
        flags += ["--output_names", "probabilities", "--bind", "is_training=false"]
    refuse_optimize(model, tmp_path, UNSUPPORTED, says, flags=flags)
    assert call("inspect", model).exit_code == 0


# -- wrong graphs ----------------------------------------------------------------------------------------------------


def test_unknown_op(tmp_path):
    path = graph(tmp_path, 'node { name: "mine" op: "MyVeryOwnOp" input: "y" }')
    said = refuse_optimize(path, tmp_path, UNSUPPORTED, "'MyVeryOwnOp'", "'mine'", flags=["--output_names", "mine"])
    assert "--op_library" in said
    assert "MyVeryOwnOp" in call("inspect", path).stdout


WRONG_GRAPHS = {
    "cycle": (
        f'node {{ name: "a" op: "Add" input: "y" input: "b" {FLOAT} }}'
        f'node {{ name: "b" op: "Neg" input: "a" {FLOAT} }}',
        ["cycle", "'a'"],
    ),
    "node that reads itself": (f'node {{ name: "b" op: "Neg" input: "b" {FLOAT} }}', ["cycle", "'b'"]),
    "control cycle": (
        f'node {{ name: "a" op: "Neg" input: "y" input: "^b" {FLOAT} }}'
        f'node {{ name: "b" op: "Neg" input: "a" {FLOAT} }}',
        ["cycle"],
    ),
    "name twice": (
        f'node {{ name: "y" op: "Neg" input: "x" {FLOAT} }} node {{ name: "b" op: "Neg" input: "y" {FLOAT} }}',
        ["Two nodes", "'y'"],
    ),
    "input is missing": (f'node {{ name: "b" op: "Neg" input: "nowhere" {FLOAT} }}', ["'nowhere'", "'b'"]),
    "control input is missing": (f'node {{ name: "b" op: "Neg" input: "y" input: "^nowhere" {FLOAT} }}', ["'nowhere'"]),
    "port": (f'node {{ name: "b" op: "Neg" input: "y:3" {FLOAT} }}', ["'b'", "y:3"]),
    "port is no number": (f'node {{ name: "b" op: "Neg" input: "y:first" {FLOAT} }}', ["'y:first'"]),
    "dtype": ('node { name: "b" op: "Neg" input: "y" attr { key: "T" value { type: DT_INT32 } } }', ["'b'", "int32"]),
    "attribute is missing": ('node { name: "b" op: "Neg" input: "y" }', ["'b'", "'T'", "missing"]),
    "attribute of another kind": (
        'node { name: "b" op: "Neg" input: "y" attr { key: "T" value { i: 1 } } }',
        ["'b'", "'T'", "no type"],
    ),
    "too few inputs": (f'node {{ name: "b" op: "Add" input: "y" {FLOAT} }}', ["'b'", "1 inputs"]),
    "more inputs than there are": (
        f'node {{ name: "b" op: "AddN" input: "y" {FLOAT} attr {{ key: "N" value {{ i: 4611686018427387904 }} }} }}',
        ["'b'", "N = "],
    ),
    "more outputs than memory": (
        f'node {{ name: "s" op: "Unpack" input: "y" {FLOAT} attr {{ key: "num" value {{ i: 4611686018427387904 }} }} }}'
        f'node {{ name: "b" op: "Neg" input: "s" {FLOAT} }}',
        ["'s'", "num = "],
    ),
    "shapes that do not fit": (
        const("c", "tensor_shape { dim { size: 3 } } float_val: 1 float_val: 2 float_val: 3")
        + f'node {{ name: "b" op: "AddV2" input: "y" input: "c" {FLOAT} }}',
        ["AddV2", "must be equal"],
    ),
    "content of another length": (
        const("c", 'tensor_shape { dim { size: 4 } } tensor_content: "123456"')
        + f'node {{ name: "b" op: "AddV2" input: "y" input: "c" {FLOAT} }}',
        ["holds 6 bytes"],
    ),
    "more values than elements": (
        const("c", "tensor_shape { dim { size: 1 } } float_val: 1 float_val: 2")
        + f'node {{ name: "b" op: "AddV2" input: "y" input: "c" {FLOAT} }}',
        ["constant"],
    ),
    "negative dimension": (
        const("c", "tensor_shape { dim { size: -7 } } float_val: 1")
        + f'node {{ name: "b" op: "AddV2" input: "y" input: "c" {FLOAT} }}',
        ["constant", "[?]"],
    ),
    "constant without value": (
        'node { name: "c" op: "Const" attr { key: "dtype" value { type: DT_FLOAT } } }'
        f'node {{ name: "b" op: "AddV2" input: "y" input: "c" {FLOAT} }}',
        ["'c'", "'value'"],
    ),
    "constant of another type": (
        const("c", "float_val: 1").replace("type: DT_FLOAT", "type: DT_INT32", 1)
        + f'node {{ name: "b" op: "AddV2" input: "y" input: "c" {FLOAT} }}',
        ["'c'", "another type"],
    ),
    "constant of terabytes": (
        const("c", "tensor_shape { dim { size: 1000000 } dim { size: 1000000 } } float_val: 1")
        + f'node {{ name: "b" op: "AddV2" input: "y" input: "c" {FLOAT} }}',
        ["constant", "[1000000,1000000]", "2 GB"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG_GRAPHS)
def test_wrong_graphs(tmp_path, case):
    text, says = WRONG_GRAPHS[case]
    path = graph(tmp_path, text)
    refuse_optimize(path, tmp_path, UNSUPPORTED, *says, flags=["--no-verify", "--output_names", "b"])
    inspected = call("inspect", path)
    assert inspected.exit_code == (UNSUPPORTED if "input is missing" in case else 0), inspected.stderr


def test_a_large_repeated_constant_takes_no_memory(tmp_path):
    """One value that claims 1.6 GB: TensorFlow can run it, so it stays, stored as the one value that it is."""
    text = const("c", "tensor_shape { dim { size: 200000000 } dim { size: 2 } } float_val: 1")
    path = graph(tmp_path, text + f'node {{ name: "b" op: "Neg" input: "c" {FLOAT} }}')
    out = tmp_path / "out.pb"
    tracemalloc.start()
    options = OptimizeOptions(output_names=("c", "y"), verify=False, disable=("merge_duplicates",))
    optimize(path, out, options)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 100e6
    assert out.stat().st_size < 10_000


def test_a_huge_fill_is_not_folded(tmp_path):
    text = const("dims", "tensor_shape { dim { size: 2 } } int_val: 1000000 int_val: 1000000", "DT_INT32")
    text += const("value", "float_val: 1") + f'node {{ name: "f" op: "Fill" input: "dims" input: "value" {FLOAT} }}'
    text += const("axis", "int_val: 0", "DT_INT32")
    path = graph(tmp_path, text + f'node {{ name: "b" op: "Sum" input: "f" input: "axis" {FLOAT} }}')
    optimize(path, tmp_path / "out.pb", OptimizeOptions(output_names=("b",), verify=False))
    written = graph_pb2.GraphDef.FromString((tmp_path / "out.pb").read_bytes())
    assert {n.op for n in written.node} == {"Const", "Fill", "Sum"}
    assert written.ByteSize() < 10_000


# -- nesting and recursion -------------------------------------------------------------------------------------------


def caller(name: str, callee: str) -> str:
    """A function `name` that returns what `callee` answers, or without one its argument."""
    op, attrs = ("Identity", FLOAT) if not callee else ("PartitionedCall", calling(callee))
    args = 'input_arg { name: "a" type: DT_FLOAT } output_arg { name: "r" type: DT_FLOAT }'
    node = f'node_def {{ name: "n" op: "{op}" input: "a" {attrs} }} ret {{ key: "r" value: "n:output:0" }}'
    return f'function {{ signature {{ name: "{name}" {args} }} {node} }}'


def calling(callee: str) -> str:
    types = "".join(f'attr {{ key: "{k}" value {{ list {{ type: DT_FLOAT }} }} }}' for k in ("Tin", "Tout"))
    return f'{types} attr {{ key: "f" value {{ func {{ name: "{callee}" }} }} }}'


def with_functions(tmp_path: Path, chain: list[tuple[str, str]]) -> Path:
    library = "".join(caller(name, callee) for name, callee in chain)
    call_node = f'node {{ name: "b" op: "PartitionedCall" input: "y" {calling(chain[0][0])} }}'
    return graph(tmp_path, call_node + f"library {{ {library} }}")


@pytest.mark.parametrize(
    ("chain", "says"),
    [
        ([("f", "f")], "f → f"),
        ([("f", "g"), ("g", "f")], "f → g → f"),
        ([("f", "g"), ("g", "h"), ("h", "g")], "g → h → g"),
        ([(f"f{k}", f"f{k + 1}") for k in range(2000)] + [("f2000", "")], "nests more than 100 calls"),
    ],
    ids=["self", "mutual", "behind", "deep"],
)
def test_functions_that_never_end(tmp_path, chain, says):
    path = with_functions(tmp_path, chain)
    refuse_optimize(path, tmp_path, UNSUPPORTED, says, flags=["--no-verify", "--output_names", "b"])
    assert call("inspect", path).exit_code == 0


@pytest.mark.parametrize("partners", [1, 2])
def test_functions_of_an_object_that_never_end(tmp_path, partners):
    def edit(meta_graph) -> None:
        callers = [f for f in meta_graph.graph_def.library.function if any("f" in n.attr for n in f.node_def)]
        first, last = callers[0], callers[partners - 1]
        for function, callee in ((first, last), (last, first)):
            for node in function.node_def:
                if "f" in node.attr:
                    node.attr["f"].func.name = callee.signature.name

    model = edited(V2, tmp_path, edit)
    refuse_optimize(model, tmp_path, UNSUPPORTED, "calls itself")


def test_deep_graphs(tmp_path):
    """5,000 nodes in a row are no problem; text that nests 2,000 levels is refused."""
    chain = "".join(f'node {{ name: "n{k + 1}" op: "Neg" input: "n{k}" {FLOAT} }}' for k in range(5_000))
    path = graph(tmp_path, f'node {{ name: "n0" op: "Sigmoid" input: "y" {FLOAT} }}' + chain)
    optimize(path, tmp_path / "out.pb", OptimizeOptions(verify=False))
    text = tmp_path / "deep.pbtxt"
    depth = 2000
    text.write_text('node { name: "a" ' + 'attr { key: "k" value { func { name: "f" ' * depth + "} } }" * depth + "}")
    refuse_optimize(text, tmp_path, UNSUPPORTED, "neither a binary nor a text GraphDef")


def test_calls_that_do_not_fit(tmp_path):
    path = with_functions(tmp_path, [("f", "")])
    proto = graph_pb2.GraphDef.FromString(path.read_bytes())
    proto.library.function[0].signature.input_arg.add(name="more", type=1)
    path.write_bytes(proto.SerializeToString())
    refuse_optimize(
        path, tmp_path, UNSUPPORTED, "'b'", "'f'", "does not fit", flags=["--no-verify", "--output_names", "b"]
    )


# -- assets ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "../saved_model.pb"])
@pytest.mark.parametrize("source", [V1, V2], ids=["v1", "v2"])
def test_asset_paths_that_escape(tmp_path, source, name):
    def edit(meta_graph) -> None:
        if meta_graph.asset_file_def:
            meta_graph.asset_file_def[0].filename = name
            return
        asset, packed = meta_graph_pb2.AssetFileDef(), meta_graph.collection_def["saved_model_assets"].any_list.value[0]
        packed.Unpack(asset)
        asset.filename = name
        packed.Pack(asset)

    model = edited(source, tmp_path, edit)
    refuse_optimize(model, tmp_path, UNSUPPORTED, repr(name), "leaves")
    shown = json.loads(call("inspect", model, "--json").stdout)
    assert shown["graphs"][0]["assets"][0]["escapes"]


@pytest.mark.parametrize("place", ["assets/vocab.txt", "assets/more.txt", "assets.extra/inputs", "assets"])
def test_links_that_leave_the_model(tmp_path, place):
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "vocab.txt").write_text("nobody may see this")
    model = copied(V2, tmp_path)
    link = model / place
    if link.is_dir():
        shutil.rmtree(link)
    link.unlink(missing_ok=True)
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(secret if place == "assets" else secret / "vocab.txt")
    refuse_optimize(model, tmp_path, UNSUPPORTED, "refused", "cp -rL")


def test_links_inside_the_model_are_followed(tmp_path):
    model = copied(V2, tmp_path)
    (model / "assets" / "vocab.txt").rename(model / "assets" / "real.txt")
    (model / "assets" / "vocab.txt").symlink_to("real.txt")
    optimize(model, tmp_path / "out", OptimizeOptions(verify=False))
    assert (tmp_path / "out" / "assets" / "vocab.txt").read_bytes() == (V2 / "assets" / "vocab.txt").read_bytes()


def test_missing_asset(tmp_path):
    model = copied(V2, tmp_path)
    (model / "assets" / "vocab.txt").unlink()
    refuse_optimize(model, tmp_path, UNSUPPORTED, "'vocab.txt'", "missing")


# -- what the user names ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "flags", "says"),
    [
        (V2, ["--signature_def", "serving_defualt"], "Did you mean 'serving_default'?"),
        (V1, ["--signature_def", "zzz"], "Known: "),
        (V1, ["--tag_set", "serve,gpu"], "It has: serve"),
        (FROZEN, ["--input_names", "imagse"], "Did you mean 'images'?"),
        (FROZEN, ["--output_names", "probabilitys:0"], "Did you mean 'probabilities'?"),
        (FROZEN, ["--output_names", "probabilities:4"], "has only 1 outputs"),
        (FROZEN, ["--output_names", "probabilities:one"], "no numeric port"),
        (FROZEN, ["--bind", "imagse=1"], "Did you mean 'images'?"),
        (FROZEN, ["--bind", "images=cat"], "--bind images"),
        (FROZEN, ["--disable", "fold_constant"], "Did you mean 'fold_constants'?"),
    ],
)
def test_names_that_do_not_exist(tmp_path, model, flags, says):
    refuse_optimize(model, tmp_path, USAGE, says, flags=["--no-verify", *flags])


def test_verify_and_inspect_name_what_does_not_exist():
    refused(call("verify", V1, V1, "--signature_def", "predcit"), USAGE, "Did you mean 'predict'?")
    refused(call("verify", V1, V1, "--tag_set", "gpu"), USAGE, "It has: serve")
    refused(call("inspect", V1, "--tag_set", "gpu"), USAGE, "It has: serve")


def test_pickles_are_refused(tmp_path):
    marker = tmp_path / "ran"
    data = tmp_path / "data.npz"
    np.savez(data, images=np.array([Touches(marker)], object))
    refuse_optimize(FROZEN, tmp_path, USAGE, str(data), "Pickled", flags=["--data", str(data)])
    refused(call("verify", FROZEN, FROZEN, "--data", data), USAGE, "Pickled")
    assert not marker.exists()
    np.load(data, allow_pickle=True)["images"]
    assert marker.exists()  # the trap works


class Touches:
    """Creates a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return Path.touch, (self.marker,)


# -- Keras -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_lambda_layers_are_refused_and_do_not_run(tmp_path, monkeypatch, suffix):
    import keras

    path = tmp_path / f"model{suffix}"
    monkeypatch.setenv("TFPARE_TEST_MARKER", str(tmp_path / "ran"))
    inner = keras.layers.Lambda(
        lambda x: (__import__("os").mkdir(__import__("os").environ["TFPARE_TEST_MARKER"]), x)[1]
    )
    keras.Sequential([keras.Input((3, 2)), keras.layers.TimeDistributed(inner)]).save(path)
    (tmp_path / "ran").rmdir()
    refuse_optimize(path, tmp_path, UNSUPPORTED, str(path), "Lambda", "export", flags=[])
    assert call("inspect", path).exit_code == 0
    assert not (tmp_path / "ran").exists()
    if suffix == ".keras":
        keras.models.load_model(path, safe_mode=False, compile=False)
        assert (tmp_path / "ran").exists()  # the trap works


@pytest.mark.parametrize("name", ["config.json", "model.weights.h5"])
def test_keras_archives_that_lack_a_part(tmp_path, name):
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(KERAS / "model.keras") as source, zipfile.ZipFile(path, "w") as target:
        for item in source.namelist():
            if item != name:
                target.writestr(item, source.read(item))
    refuse_optimize(path, tmp_path, UNSUPPORTED, str(path))


@pytest.mark.parametrize("file", ["model.keras", "model.h5"])
def test_keras_files_that_are_cut_off(tmp_path, file):
    path = tmp_path / file
    shutil.copy(KERAS / file, path)
    cut(path)
    refuse_optimize(path, tmp_path, UNSUPPORTED, str(path))


# -- where the output goes -------------------------------------------------------------------------------------------


@pytest.fixture
def old(tmp_path) -> Path:
    """A complete model where the output is to go."""
    return Path(shutil.copytree(DTYPES, tmp_path / "old"))


def test_existing_targets_stay_without_overwrite(tmp_path, old):
    before = hashes(old)
    refused(call("optimize", V2, "-o", old, "--no-verify"), USAGE, str(old), "--overwrite")
    file = tmp_path / "old.pb"
    file.write_text("precious")
    refused(call("optimize", FROZEN, "-o", file, "--no-verify"), USAGE, str(file), "--overwrite")
    assert file.read_text() == "precious"
    assert hashes(old) == before


def test_overwrite_replaces_models_only(tmp_path, old):
    home = tmp_path / "home"
    home.mkdir()
    (home / "letter.txt").write_text("precious")
    refused(call("optimize", V2, "-o", home, "--no-verify", "--overwrite"), USAGE, str(home), "not replaced")
    refused(call("optimize", V2, "-o", home / "letter.txt", "--no-verify", "--overwrite"), USAGE, "not replaced")
    refused(call("optimize", FROZEN, "-o", f"{home}/..", "--no-verify", "--overwrite"), USAGE, "name the directory")
    assert (home / "letter.txt").read_text() == "precious"
    assert call("optimize", V2, "-o", old, "--no-verify", "--overwrite").exit_code == 0
    assert (old / "assets" / "vocab.txt").is_file()
    assert not list(tmp_path.glob(".old*"))


@pytest.mark.parametrize("target", ["model", "model/inner", "."])
@pytest.mark.parametrize("flags", [[], ["--overwrite"]])
def test_the_input_is_never_the_target(tmp_path, target, flags):
    model = copied(DTYPES, tmp_path)
    before = hashes(tmp_path)
    refused(call("optimize", model, "-o", tmp_path / target, "--no-verify", *flags), USAGE, "input")
    (tmp_path / "link").symlink_to(model)
    refused(call("optimize", model, "-o", tmp_path / "link", "--no-verify", *flags), USAGE, "input")
    (tmp_path / "link").unlink()
    assert hashes(tmp_path) == before


@pytest.mark.parametrize(
    ("target", "says"),
    [("nowhere/out", "does not exist"), ("file/out", "does not exist"), ("n" * 300, "Choose another -o")],
)
def test_targets_that_cannot_be(tmp_path, target, says):
    (tmp_path / "file").touch()
    refused(call("optimize", DTYPES, "-o", tmp_path / target, "--no-verify"), USAGE, says)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt(), SystemExit(143)])
def test_the_old_model_comes_back_when_the_new_one_cannot_take_its_place(tmp_path, old, monkeypatch, failure):
    before, rename = hashes(old), os.rename

    def fail_once(source, target):
        if Path(target) == old and Path(source).name == "old":
            monkeypatch.setattr(os, "rename", rename)
            raise failure
        rename(source, target)

    monkeypatch.setattr(os, "rename", fail_once)
    assert call("optimize", V2, "-o", old, "--no-verify", "--overwrite").exit_code in (130, 143, UNSUPPORTED)
    assert hashes(old) == before
    assert not list(tmp_path.glob(".old*"))


def test_a_refused_model_leaves_the_old_output(tmp_path, old):
    before = hashes(old)
    refused(call("optimize", tmp_path, "-o", old, "--overwrite"), USAGE, "input")
    (tmp_path / "model.pb").write_text("no model")
    refused(call("optimize", tmp_path / "model.pb", "-o", old, "--overwrite"), UNSUPPORTED, "model.pb")
    assert hashes(old) == before


# -- disks, permissions, signals -------------------------------------------------------------------------------------


@contextlib.contextmanager
def mounted(path: Path, options: str):
    path.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", path], capture_output=True, check=False)
    if done.returncode != 0:
        pytest.skip("may not mount")
    try:
        yield path
    finally:
        subprocess.run(["umount", path], check=True)


@pytest.mark.parametrize(
    ("model", "target", "flags"),
    [
        (FROZEN, "out.pb", []),
        (V1, "out", []),
        (V2, "out", []),
        (FIXTURES / "tf1_embedding" / "saved_model", "out", ["--disable", "freeze_variables"]),
    ],
    ids=["graphdef", "v1", "v2", "checkpoint"],
)
def test_a_full_disk(tmp_path, model, target, flags):
    before = hashes(model)
    with mounted(tmp_path / "disk", "size=40k") as disk:
        done = call("optimize", model, "-o", disk / target, "--no-verify", *flags)
        refused(done, UNSUPPORTED, str(disk / target), "Nothing was left behind")
        assert list(disk.iterdir()) == []
    assert hashes(model) == before


def test_a_disk_that_fills_up_keeps_the_old_model(tmp_path):
    with mounted(tmp_path / "disk", "size=200k") as disk:
        shutil.copytree(DTYPES, disk / "out")
        before = hashes(disk)
        done = call(
            "optimize", FIXTURES / "tf1_embedding" / "saved_model", "-o", disk / "out", "--no-verify", "--overwrite"
        )
        refused(done, UNSUPPORTED, "failed")
        assert hashes(disk) == before


def test_a_read_only_disk(tmp_path):
    with mounted(tmp_path / "disk", "size=1m,ro") as disk:
        refused(call("optimize", DTYPES, "-o", disk / "out"), USAGE, str(disk), "cannot be written")


def test_directories_without_permission(tmp_path):
    """In a child process without root's right to ignore permissions: none to write, then none to read."""
    model, closed = Path(shutil.copy(FROZEN, tmp_path / "model.pb")), tmp_path / "closed"
    closed.mkdir(mode=0o555)
    refused(unprivileged("optimize", model, "-o", closed / "out"), USAGE, str(closed), "cannot be written")
    proto = copied(DTYPES, tmp_path / "v2") / "saved_model.pb"
    proto.chmod(0)
    refused(unprivileged("inspect", proto.parent), UNSUPPORTED, str(proto.parent), "Permission denied")
    assert list(closed.iterdir()) == []


def unprivileged(*arguments: object) -> Finished:
    command = [sys.executable, "-m", "tfpare", *map(str, arguments)]
    if os.geteuid() == 0:
        command = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", *command]
        if shutil.which("setpriv") is None:
            pytest.skip("root may write everywhere, and there is no setpriv to change that")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return Finished(done.returncode, done.stderr)


@dataclass
class Finished:
    exit_code: int
    stderr: str


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_killed_while_writing(tmp_path, old, number):
    """While the new model lies beside the old one: the old one stays, complete, and the next run works."""
    model, before = copied(DTYPES, tmp_path), hashes(old)
    input_before = hashes(model)
    command = [sys.executable, "-m", "tfpare", "optimize", str(model), "-o", str(old), "--overwrite"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob(".old*/old/*")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(number)
    stderr = process.communicate(timeout=60)[1]
    assert process.returncode in (-number, 128 + number)
    assert "Traceback" not in stderr
    assert hashes(old) == before
    assert hashes(model) == input_before
    left = [p for p in tmp_path.iterdir() if p.name.startswith(".")]
    assert len(left) <= (number == signal.SIGKILL)
    if left:
        refused(call("inspect", left[0]), UNSUPPORTED, "without saved_model.pb")
        assert call("optimize", model, "-o", old, "--overwrite", "--no-verify").exit_code == 0
        assert hashes(old) != before


# -- custom ops --------------------------------------------------------------------------------------------------------

SOURCE = """
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/shape_inference.h"
using namespace tensorflow;
REGISTER_OP("MyVeryOwnOp").Input("x: float").Output("y: float").SetShapeFn([](shape_inference::InferenceContext* c) {
  c->set_output(0, c->input(0));
  return absl::OkStatus();
});
class MyVeryOwnOp : public OpKernel {
 public:
  explicit MyVeryOwnOp(OpKernelConstruction* c) : OpKernel(c) {}
  void Compute(OpKernelContext* c) override { c->set_output(0, c->input(0)); }
};
REGISTER_KERNEL_BUILDER(Name("MyVeryOwnOp").Device(DEVICE_CPU), MyVeryOwnOp);
"""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a compiler")
def test_op_libraries_reach_the_processes_that_run_models(tmp_path):
    import tensorflow as tf

    (tmp_path / "op.cc").write_text(SOURCE)
    library, out = tmp_path / "op.so", tmp_path / "out.pb"
    flags = [
        *tf.sysconfig.get_compile_flags(),
        "-shared",
        "-fPIC",
        "-o",
        library,
        "op.cc",
        *tf.sysconfig.get_link_flags(),
    ]
    subprocess.run(["g++", *map(str, flags)], cwd=tmp_path, check=True)
    path = graph(tmp_path, 'node { name: "mine" op: "MyVeryOwnOp" input: "y" }')
    run = [sys.executable, "-m", "tfpare"]
    for arguments in (["optimize", path, "-o", out, "--output_names", "mine"], ["verify", path, out]):
        done = subprocess.run(
            [*run, *map(str, arguments), "--op_library", str(library)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert "your rights" in done.stderr
