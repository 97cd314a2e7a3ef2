"""Evaluation on a Ray cluster of two workers on this machine: the same figures, also when one of them is killed."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from pathlib import Path

import numpy as np
import psutil
import pytest

import tfpare
from tests.evaluation.helpers import IMAGES, MNIST, linear_data, plant_loss, save_linear
from tfpare.data.types import DataError, DataOptions
from tfpare.errors import UsageError
from tfpare.evaluation.types import EvaluateOptions, EvaluationReport


@pytest.fixture(scope="module")
def temporary():
    """Where this process and the cluster's put temporary files; a short name, since sockets' may have 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp") as name, pytest.MonkeyPatch.context() as patch:
        path = Path(name)
        patch.setenv("TMPDIR", str(path))
        patch.setattr(tempfile, "tempdir", None)
        yield path


@pytest.fixture(scope="module")
def cluster(temporary):
    ray = pytest.importorskip("ray")
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield ray
    ray.shutdown()


def figures(report: EvaluationReport) -> tuple:
    return report.results, report.paired, report.agreement, report.samples, report.skipped, report.skipped_samples


def kill_a_worker() -> bool:
    """Ends one process that evaluates a shard, as the kernel does when memory runs out."""
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if "".join(process.cmdline()).startswith("ray::tfpare-evaluate"):
                process.kill()
                return True
    return False


def test_same_figures_to_the_last_digit_also_when_a_worker_is_killed(cluster, temporary, tmp_path):
    worse = plant_loss(tmp_path / "worse.pb", every=50)
    options = {"metrics": ("top1", "top5"), "against": worse, "batch_size": 48}
    local = tfpare.evaluate(MNIST / "saved_model", IMAGES, EvaluateOptions(**options))
    assert local.paired[0].verdict == "loss"

    killed: list[bool] = []

    def count(done: int, total: int | None) -> None:
        if done < total and not any(killed):
            killed.append(kill_a_worker())

    on_ray = EvaluateOptions(**options, engine="ray", shards=7)
    report = tfpare.evaluate(MNIST / "saved_model", IMAGES, on_ray, count=count)
    assert any(killed)
    assert figures(report) == figures(local)
    assert report.engine == "ray, 7 shards"
    assert list(temporary.glob("tfpare-*")) == []


def test_bad_samples_on_a_cluster(cluster, temporary, tmp_path):
    model = save_linear(tmp_path / "model")
    with np.load(linear_data(tmp_path / "a.npz")) as arrays:
        x, label = arrays["x"].copy(), arrays["label"]
    x[[2, 11, 15]] = np.nan
    np.savez(tmp_path / "b.npz", x=x, label=label)
    options = {"metrics": ("top1", "auc"), "output": "scores", "batch_size": 4}

    def run(skip_bad: int, **engine):
        return tfpare.evaluate(
            model, tmp_path / "b.npz", EvaluateOptions(**options, **engine, data=DataOptions(skip_bad=skip_bad))
        )

    local, clustered = run(3), run(3, engine="ray", shards=2)
    assert sorted(clustered.skipped_samples) == sorted(local.skipped_samples)
    assert figures(clustered)[:5] == figures(local)[:5]
    with pytest.raises(DataError, match=r"b.npz row 2: .* holds NaN"):
        run(0, engine="ray", shards=1)
    with pytest.raises(DataError, match="More than 2 samples"):
        run(2, engine="ray", shards=5)
    assert list(temporary.glob("tfpare-*")) == []  # also after errors


def test_without_ray_the_message_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r"pip install 'tfpare\[ray\]'"):
        tfpare.evaluate(MNIST / "saved_model", IMAGES, EvaluateOptions(metrics=("top1",), engine="ray"))
