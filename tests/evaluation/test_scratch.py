"""A child that runs a model removes its scratch directory when its parent was killed."""

from __future__ import annotations

import os
import subprocess
import sys
import time

PROGRAM = "import time; from tfpare.execution import Worker; one = Worker(); print(1, flush=True); time.sleep(600)"


def test_a_killed_parent_leaves_nothing_behind(tmp_path):
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, env=environment) as parent:
        assert parent.stdout.readline() == b"1\n"
        assert len(list(tmp_path.glob("tfpare-*"))) == 1
        parent.kill()
    deadline = time.monotonic() + 120  # the child imports TensorFlow first
    while list(tmp_path.glob("tfpare-*")):
        assert time.monotonic() < deadline
        time.sleep(0.2)
