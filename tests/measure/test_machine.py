"""The record of the machine, and what makes its numbers doubtful."""

from __future__ import annotations

import os
import platform

import pytest

from tfpare.measure import machine
from tfpare.measure.types import Environment

ON_X86 = platform.machine() in ("x86_64", "AMD64")


def test_environment_of_this_machine():
    found = machine.environment({"tensorflow": "2.21", "onednn": True, "intra_threads": 2}, 0.5, 0.25, 0.0)
    assert found.cpu
    assert found.cores >= 1
    assert found.memory_bytes > 0
    assert (found.tensorflow, found.onednn, found.intra_threads, found.inter_threads) == ("2.21", True, 2, 0)


def test_unknown_onednn_is_unknown():
    assert machine.environment({"onednn": None}, 0.0, 0.0, 0.0).onednn is None


def test_only_variables_of_tensorflow_are_recorded(monkeypatch):
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "1")
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    monkeypatch.setenv("TF_VAR_password", "secret")  # Terraform's
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", "file")
    known = machine.environment({}, 0.0, 0.0, 0.0).variables
    assert known["TF_ENABLE_ONEDNN_OPTS"] == "1"
    assert known["OMP_NUM_THREADS"] == "2"
    assert not {"TF_VAR_password", "TF_CLI_CONFIG_FILE", "PATH"} & known.keys()


def test_share_of_other_programs():
    begin = machine.Moment(0.0, 100.0, 1000.0, 0.0)
    end = machine.Moment(10.0, 115.0, 1020.0, 0.0)
    assert machine.others_share(begin, end, 5.0) == pytest.approx(0.5)
    assert machine.others_share(begin, end, 50.0) == 0.0
    assert machine.others_share(begin, begin, 0.0) == 0.0


@pytest.mark.parametrize(
    ("found", "cv", "expected"),
    [
        (Environment(), 0.05, ""),
        (Environment(others_share=0.4), 0.05, "other programs took 40%"),
        (Environment(throttled_s=2.0), 0.05, "quota"),
        (Environment(), 0.6, "scatter by 60%"),
        (Environment(governor="powersave"), 0.05, "powersave"),
        (Environment(onednn=True), 0.05, ""),
        (
            Environment(onednn=False),
            0.05,
            "TF_ENABLE_ONEDNN_OPTS=1" if platform.machine() in ("x86_64", "AMD64") else "",
        ),
        (Environment(onednn=False, variables={"TF_ENABLE_ONEDNN_OPTS": "0"}), 0.05, ""),
    ],
)
def test_warnings(found, cv, expected):
    said = machine.warnings(found, cv)
    assert (expected in " ".join(said)) if expected else said == []


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"cpu.max": "150000 100000"}, 1.5),
        ({"cpu.max": "max 100000"}, None),
        ({"cpu/cpu.cfs_quota_us": "50000", "cpu/cpu.cfs_period_us": "100000"}, 0.5),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
        ({}, None),
    ],
)
def test_quota(tmp_path, monkeypatch, files, expected):
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(machine, "_CGROUP", tmp_path)
    assert machine.quota_cores() == expected


def test_load_average_is_a_number():
    assert machine.load_average() >= 0 or not hasattr(os, "getloadavg")
