"""What child processes that run models get to see of this one's environment."""

from __future__ import annotations

import os
import re
from pathlib import Path

_SECRET = re.compile(r"TOKEN|SECRET|PASSW|CREDENTIAL|API_?KEY|PRIVATE|ACCESS_KEY|AUTH|COOKIE", re.IGNORECASE)

SCRATCH = "TFPARE_SCRATCH"
"""The variable that tells a child its scratch directory, which it removes when the parent is gone."""


def child_environment() -> dict[str, str]:
    """The parent's environment without what looks like a secret: a model may read it."""
    kept = {k: v for k, v in os.environ.items() if not _SECRET.search(k)}
    package = str(Path(__file__).resolve().parents[1])
    kept["PYTHONPATH"] = os.pathsep.join(p for p in (package, kept.get("PYTHONPATH", "")) if p)
    kept["TF_CPP_MIN_LOG_LEVEL"] = "3"
    kept.setdefault("CUDA_VISIBLE_DEVICES", "")  # the answers of the CPU kernels are what is compared
    return kept
