"""Every small model of every form through `optimize`: the golden outputs of the framework that made it."""

import pytest

from tests.e2e.golden import SMALL, TOLERANCE, Artifact, artifacts, loaders, nearest_difference
from tfpare.api import OptimizeOptions, optimize

ALL = artifacts(SMALL)


def options_for(artifact: Artifact, **more) -> OptimizeOptions:
    if artifact.is_bare:
        names = {"input_names": artifact.tensor_names("inputs"), "output_names": artifact.tensor_names("outputs")}
        return OptimizeOptions(**names, **more)
    return OptimizeOptions(tags=artifact.tags, **more)


def target_for(artifact: Artifact, directory):
    return directory / ("optimized.pb" if artifact.is_bare else "optimized")


@pytest.mark.parametrize("preset", ["fast", "exact"])
@pytest.mark.parametrize("artifact", ALL, ids=[a.id for a in ALL])
def test_golden_outputs(artifact, preset, tmp_path):
    target = target_for(artifact, tmp_path)
    report = optimize(artifact.path, target, options_for(artifact, preset=preset, verify=False))
    assert report.after.nodes <= report.before.nodes
    for name, run in loaders(artifact, target):
        for case in artifact.cases:
            if name == "Session" and case.name.startswith("step"):
                continue  # state does not outlive a Session
            if artifact.kind == "keras" and name == "Session":
                continue  # its signature has other names; tf.saved_model.load covers it
            worst = nearest_difference(artifact, case, run(case))
            assert worst <= TOLERANCE, f"{name}, case {case.name}: {worst:.2e}"


@pytest.mark.parametrize("artifact", [a for a in ALL if not a.is_bare], ids=[a.id for a in ALL if not a.is_bare])
def test_optimizing_twice_changes_nothing_more(artifact, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    optimize(artifact.path, first, options_for(artifact, verify=False))
    report = optimize(first, second, OptimizeOptions(tags=artifact.tags, verify=False))
    assert report.after.nodes <= report.before.nodes
    for name, run in loaders(artifact, second):
        for case in artifact.cases:
            if name == "tf.saved_model.load":
                assert nearest_difference(artifact, case, run(case)) <= TOLERANCE
