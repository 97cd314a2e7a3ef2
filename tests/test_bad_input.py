"""Bad input: a clear error with the right exit code, no traceback, nothing written, nothing lost."""

from __future__ import annotations

import hashlib
import io
import json
import random
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from google.protobuf import text_format
from tensorflow.core.framework import graph_pb2
from tensorflow.core.protobuf import saved_model_pb2
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


# -- damaged files ------------------------------------------------------------------------------------------------------


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
    except TfpareError as error:
        assert str(error)
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


# -- no model at all ------------------------------------------------------------------------------------------------------


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
    before = call("verify", path, FROZEN)
    assert before.exit_code in (USAGE, UNSUPPORTED)
    refused(before, before.exit_code, str(path))
    after = call("verify", FROZEN, path)
    assert after.exit_code in (USAGE, UNSUPPORTED)


# -- variables ------------------------------------------------------------------------------------------------------------


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


# -- wrong graphs -----------------------------------------------------------------------------------------------------------


def test_unknown_op(tmp_path):
    path = graph(tmp_path, 'node { name: "mine" op: "MyVeryOwnOp" input: "y" }')
    said = refuse_optimize(path, tmp_path, UNSUPPORTED, "'MyVeryOwnOp'", "'mine'", flags=["--output_names", "mine"])
    assert "--op_library" in said
    assert "MyVeryOwnOp" in call("inspect", path).stdout


WRONG_GRAPHS = {
    "cycle": (
        f'node {{ name: "a" op: "Add" input: "y" input: "b" {FLOAT} }} node {{ name: "b" op: "Neg" input: "a" {FLOAT} }}',
        ["cycle", "'a'"],
    ),
    "node that reads itself": (f'node {{ name: "b" op: "Neg" input: "b" {FLOAT} }}', ["cycle", "'b'"]),
    "control cycle": (
        f'node {{ name: "a" op: "Neg" input: "y" input: "^b" {FLOAT} }} node {{ name: "b" op: "Neg" input: "a" {FLOAT} }}',
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
        ["'b'" if False else "AddV2", "must be equal"],
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
        const("c", "float_val: 1").replace("type: DT_FLOAT", "type: DT_INT32", 1).replace("{ type: DT_FLOAT", "{ type: DT_INT32", 1)
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
    assert inspected.exit_code == 0, inspected.stderr
