"""What this CPU has instructions for."""

from __future__ import annotations

import hashlib
import platform
from pathlib import Path

from tfpare.errors import UnsupportedMachine

# Any one of these multiplies bfloat16 numbers. Without them oneDNN and Eigen convert each operand to float32 and back.
_NEEDED = {"bf16": ("avx512_bf16", "amx_bf16")}
_CPU_INFO = Path("/proc/cpuinfo")


def cpu_flags(info: Path = _CPU_INFO) -> frozenset[str] | None:
    """The instruction sets of the first CPU; None where the system does not list them (it is no Linux on x86)."""
    try:
        lines = info.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    found = next((line.partition(":")[2] for line in lines if line.startswith("flags")), None)
    return None if found is None else frozenset(found.split())


def cpu_key(info: Path = _CPU_INFO) -> str:
    """Tells kinds of CPUs apart, for what is measured once a machine: a home directory may be shared by several."""
    try:
        lines = info.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    kind = [line for line in lines if line.startswith(("vendor_id", "cpu family", "model", "flags", "Features"))]
    text = "\n".join(dict.fromkeys(kind)) or platform.processor()
    return f"{platform.machine()}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def missing_instructions(precision: str, flags: frozenset[str] | None) -> str:
    """Why a machine with these flags is slow at a precision; empty where it is not."""
    needed = _NEEDED.get(precision, ())
    if not needed or (flags is not None and not flags.isdisjoint(needed)):
        return ""
    names = " or ".join(name.upper() for name in needed)
    return (
        f"{names} is not among this CPU's instructions" if flags else f"this system does not say whether it has {names}"
    )


def check_cpu(precision: str, force: bool) -> None:
    """Refuses a precision that would be slower here.

    Raises:
        UnsupportedMachine: the CPU lacks the instructions, and `force` is false.
    """
    reason = "" if force else missing_instructions(precision, cpu_flags())
    if reason:
        raise UnsupportedMachine(
            f"--precision {precision}: {reason}: the model would run slower than in float32. "
            "Use --force to build it for another machine."
        )
