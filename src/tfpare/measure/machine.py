"""The machine that numbers were measured on, and how quiet it was."""

from __future__ import annotations

import os
import platform
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from tfpare.measure.types import Environment

_ISA = re.compile(r"^(avx\w*|amx\w*|fma|f16c|sse4_\w+|asimd\w*|sve\w*|bf16|i8mm|fphp)$")
# Named one by one: other programs also use TF_ (Terraform's TF_VAR_ may hold secrets).
_TF = "AUTO|CPU|CUDNN|DETERMINISTIC|DISABLE|ENABLE|FORCE|GPU|JIT|LAYOUT|MKL|NUM|ONEDNN|SET|USE|XLA"
_VARIABLES = re.compile(
    rf"^(TF_({_TF})\w*|OMP_\w+|KMP_\w+|ONEDNN_\w+|DNNL_\w+|XLA_FLAGS|MALLOC_\w+|LD_PRELOAD|CUDA_VISIBLE_DEVICES)$"
)
_X86, _ONEDNN = ("x86_64", "AMD64"), "TF_ENABLE_ONEDNN_OPTS"
_CGROUP = Path("/sys/fs/cgroup")
_NOISY_OTHERS, _NOISY_CV, _NOISY_THROTTLED_S = 0.10, 0.25, 0.05  # beyond these, medians here moved by several percent


@dataclass(frozen=True, slots=True)
class Moment:
    """Counters of the machine at one time, seconds of processor time."""

    clock: float
    busy: float
    total: float
    throttled: float

    @classmethod
    def now(cls) -> Moment:
        """Reads the counters."""
        times = psutil.cpu_times()
        total, idle = float(sum(times)), float(times.idle) + float(getattr(times, "iowait", 0.0))
        return cls(time.monotonic(), total - idle, total, _throttled_s())


def others_share(begin: Moment, end: Moment, own_s: float) -> float:
    """Share of the machine's processor time that neither idled nor went to `own_s` seconds of ours."""
    total = end.total - begin.total
    return min(1.0, max(0.0, end.busy - begin.busy - own_s) / total) if total > 0 else 0.0


def own_seconds() -> float:
    """Processor time of this process so far."""
    times = psutil.Process().cpu_times()
    return float(times.user + times.system)


def environment(build: Mapping[str, object], load: float, others: float, throttled_s: float) -> Environment:
    """All that is known.

    Args:
        build: what the measured process told of its TensorFlow.
        load: average at the beginning.
        others: share of processor time that other programs took.
        throttled_s: time for which the container was stopped.
    """
    cpu, isa = _processor()
    onednn = build.get("onednn")
    return Environment(
        cpu=cpu,
        isa=isa,
        cores=_usable_cores(),
        physical_cores=psutil.cpu_count(logical=False) or 0,
        quota_cores=quota_cores(),
        memory_bytes=int(psutil.virtual_memory().total),
        governor=_text(Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")),
        system=platform.platform(),
        python=platform.python_version(),
        tensorflow=str(build.get("tensorflow", "")),
        build=str(build.get("build", "")),
        onednn=onednn if isinstance(onednn, bool) else None,
        intra_threads=int(str(build.get("intra_threads", 0))),
        inter_threads=int(str(build.get("inter_threads", 0))),
        variables={k: v for k, v in sorted(os.environ.items()) if _VARIABLES.match(k)},
        load=load,
        others_share=others,
        throttled_s=throttled_s,
    )


def load_average() -> float:
    """Of the last minute; 0 where the system has none."""
    try:
        return os.getloadavg()[0]
    except OSError:
        return 0.0


def warnings(environment: Environment, largest_cv: float) -> list[str]:
    """Why the numbers may be weaker than they look, or not the best that this machine gives."""
    found: list[str] = []
    if environment.onednn is False and platform.machine() in _X86 and _ONEDNN not in environment.variables:
        found.append(
            "TensorFlow leaves oneDNN off on this processor (it lacks AVX512-VNNI, AVX512-BF16 and AMX): measure with "
            f"{_ONEDNN}=1 in the environment too, ConvNets were up to twice as fast with it"
        )
    if environment.others_share > _NOISY_OTHERS:
        found.append(
            f"other programs took {environment.others_share:.0%} of the processors meanwhile: times are longer than on "
            "a quiet machine, and intervals wider"
        )
    if environment.throttled_s > _NOISY_THROTTLED_S:
        found.append(f"the container was stopped for {environment.throttled_s:.1f} s, its processor quota was used up")
    if largest_cv > _NOISY_CV:
        found.append(f"times of single calls scatter by {largest_cv:.0%} (standard deviation / mean)")
    if environment.governor == "powersave":
        found.append("the processor's clock is governed by 'powersave': it may change while measuring")
    return found


def _usable_cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on this system
        return os.cpu_count() or 1


def _processor() -> tuple[str, tuple[str, ...]]:
    text = _text(Path("/proc/cpuinfo"))
    name = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    flags = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", text, re.MULTILINE)
    isa = tuple(sorted(f for f in (flags[1].split() if flags else ()) if _ISA.match(f)))
    return (name[1].strip() if name else platform.processor() or platform.machine()), isa


def quota_cores() -> float | None:
    """Processors that the control group may use, None without a limit (cgroup 2 and 1)."""
    match = re.match(r"(\d+) (\d+)", _text(_own_group("") / "cpu.max") or _text(_CGROUP / "cpu.max"))
    if match:
        return int(match[1]) / int(match[2])
    for folder in (_own_group("cpu"), _CGROUP / "cpu", _CGROUP / "cpu,cpuacct"):
        quota, period = _text(folder / "cpu.cfs_quota_us"), _text(folder / "cpu.cfs_period_us")
        if quota.isdigit() and period.isdigit() and int(period):
            return int(quota) / int(period)
    return None


def _own_group(controller: str) -> Path:
    """The folder of this process's control group; `controller` is empty for cgroup 2."""
    for line in _text(Path("/proc/self/cgroup")).splitlines():
        _, names, path = line.split(":", 2)
        if controller in names.split(","):
            return _CGROUP / controller / path.lstrip("/")
    return _CGROUP


def _throttled_s() -> float:
    for folder in (_own_group(""), _CGROUP, _own_group("cpu"), _CGROUP / "cpu"):
        text = _text(folder / "cpu.stat")
        if match := re.search(r"^throttled_usec (\d+)", text, re.MULTILINE):
            return int(match[1]) / 1e6
        if match := re.search(r"^throttled_time (\d+)", text, re.MULTILINE):
            return int(match[1]) / 1e9
    return 0.0


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""
