"""Every case through TransformGraph and through the command line, with its own transforms."""

from __future__ import annotations

import pytest
from tensorflow.core.framework import graph_pb2
from typer.testing import CliRunner

from tests.gtt.cases import MORE_NODES, Case, all_cases, difference, run, shortfall, size, tool_size
from tfpare.cli.app import app
from tfpare.compat import TransformGraph
from tfpare.errors import TfpareError

CASES = {c.name: c for c in all_cases()}


def transform(case: Case):
    facts = case.facts
    return TransformGraph(case.graph_def(), facts["inputs"], facts["outputs"], facts["transforms"])


@pytest.mark.parametrize("name", CASES)
def test_transform_graph(name, monkeypatch):
    case = CASES[name]
    monkeypatch.chdir(case.folder)
    if case.facts["want_error"]:
        with pytest.raises(TfpareError):
            transform(case)
        return
    before = case.graph_def()
    result = transform(case)
    assert case.graph_def() == before
    if not case.facts["structure_only"] or case.expected():
        assert difference(case, run(result, case)) == ""
    assert shortfall(case, result) == ""
    limit = tool_size(case)
    if limit is not None:
        assert size(result) <= limit or name in MORE_NODES


@pytest.mark.parametrize("name", CASES)
def test_command_line_gives_the_same_graph(name, monkeypatch, tmp_path):
    case = CASES[name]
    facts = case.facts
    monkeypatch.chdir(case.folder)
    out = tmp_path / "out.pb"
    arguments = ["transform", "--in_graph", "input.pb", "--out_graph", str(out), "--inputs", ",".join(facts["inputs"])]
    arguments += ["--outputs", ",".join(facts["outputs"]), "--transforms", " ".join(facts["transforms"])]
    outcome = CliRunner().invoke(app, arguments)
    if facts["want_error"] or not facts["transforms"]:
        assert outcome.exit_code in (2, 3)
        assert not out.exists()
        return
    assert outcome.exit_code == 0, outcome.output
    written = graph_pb2.GraphDef.FromString(out.read_bytes())
    assert written.SerializeToString(deterministic=True) == transform(case).SerializeToString(deterministic=True)


def test_reasons_name_cases():
    assert set(MORE_NODES) <= set(CASES)
