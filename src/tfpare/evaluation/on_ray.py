"""Evaluation on a Ray cluster: shards of the data set as tasks; a lost worker's shard is done again by another."""
# Ray's own types leave much unknown: what comes from it stays in this file.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingImports=false, reportMissingTypeStubs=false

from __future__ import annotations

import contextlib
import importlib
import math
import shutil
import tempfile
import uuid
from pathlib import Path
from typing import Any

from tfpare.data.types import SkipLog
from tfpare.errors import TfpareError, UsageError
from tfpare.evaluation.local import Count
from tfpare.evaluation.task import BatchTally, Task, tallies
from tfpare.execution import ModelCrashed, ModelRunner

_RETRIES = 3  # of a shard whose worker, or whose model's process, was lost
_REMOVAL_S = 60.0  # for a node to remove its scratch directory; one that is gone does not answer
_SHARDS_PER_CPU = 4  # small enough that little is lost with a worker, and that all finish at about the same time


def run_on_ray(
    task: Task, size: int | None, skipped: SkipLog, count: Count, address: str | None, shards: int | None, cpus: int
) -> tuple[BatchTally, int]:
    """Evaluates everything; the figures are those of `run_locally`, since tallies are joined in the same order.

    Args:
        task: what to do; its paths have to be readable on every node.
        size: of the data set.
        skipped: gets the bad samples.
        count: told of the progress.
        address: of the cluster; None takes the one that Ray finds or starts one on this machine.
        shards: parts.
        cpus: of the cluster that a part claims.

    Returns:
        the tally of everything and the number of shards.

    Raises:
        UsageError: Ray is not installed, or the cluster cannot be reached.
        TfpareError: a shard failed, also when it was tried again.
    """
    ray = _ray()
    started = _connect(ray, address)
    scratch = f"tfpare-{uuid.uuid4().hex}"
    try:
        parts = _count_shards(ray, task, size, shards, cpus)
        evaluate_shard: Any = ray.remote(
            num_cpus=cpus, max_retries=_RETRIES, retry_exceptions=[ModelCrashed], name="tfpare-evaluate"
        )(_evaluate_shard)
        shared = ray.put(task)
        pending = {evaluate_shard.remote(shared, (k, parts), skipped.limit, scratch): k for k in range(parts)}
        return _join(_collect(ray, pending, skipped, size, count)), parts
    finally:
        _remove_scratch(ray, scratch)
        if started:
            ray.shutdown()


def _ray() -> Any:
    try:
        return importlib.import_module("ray")
    except ImportError as error:
        raise UsageError("--engine ray needs Ray: pip install 'tfpare[ray]'.") from error


def _connect(ray: Any, address: str | None) -> bool:
    """Connects unless the program has done so; returns whether it is to be undone."""
    if ray.is_initialized():
        return False
    try:
        ray.init(
            address=address, include_dashboard=None if address else False, log_to_driver=False, logging_level="ERROR"
        )
    except Exception as error:
        raise UsageError(f"The Ray cluster {address or ''} cannot be reached: {error}") from error
    return True


def _remove_scratch(ray: Any, scratch: str) -> None:
    """Removes what the evaluation leaves on each node: Ray ends its workers so suddenly that they cannot do it."""
    affinity: Any = importlib.import_module("ray.util.scheduling_strategies").NodeAffinitySchedulingStrategy
    remove: Any = ray.remote(num_cpus=0, max_retries=0, name="tfpare-clean")(_remove)
    with contextlib.suppress(Exception):  # a node may be gone: its files are out of reach, the figures are not
        nodes = [n["NodeID"] for n in ray.nodes() if n["Alive"]]
        done = [remove.options(scheduling_strategy=affinity(n, soft=False)).remote(scratch) for n in nodes]
        ray.wait(done, num_returns=len(done), timeout=_REMOVAL_S)


def _count_shards(ray: Any, task: Task, size: int | None, shards: int | None, cpus: int) -> int:
    if shards is None:
        shards = _SHARDS_PER_CPU * max(1, int(ray.cluster_resources().get("CPU", 1)) // cpus)
    return shards if size is None else max(1, min(shards, math.ceil(size / task.batch_size)))


def _collect(ray: Any, pending: dict[Any, int], skipped: SkipLog, size: int | None, count: Count) -> list[BatchTally]:
    """The tallies of all shards, in no order; bad samples in the order of the shards."""
    found: list[BatchTally] = []
    messages: dict[int, list[str]] = {}
    while pending:
        done, _ = ray.wait(list(pending), num_returns=1)
        shard = pending.pop(done[0])
        try:
            part, messages[shard] = ray.get(done[0])
        except Exception as error:
            for rest in pending:
                ray.cancel(rest, force=True)
            raise _plain(error) from error
        found += part
        count(sum(t.samples for t in found) + sum(map(len, messages.values())), size)
    for shard in sorted(messages):
        for message in messages[shard]:
            skipped.add(message)
    return found


def _plain(error: Exception) -> TfpareError:
    """The error that the shard raised, or what Ray says of a shard that was lost again and again."""
    cause = getattr(error, "cause", None)
    if isinstance(cause, TfpareError):
        return cause
    if isinstance(error, TfpareError):
        return error
    return TfpareError(f"A shard failed on the Ray cluster: {type(error).__name__}: {error}")


def _join(found: list[BatchTally]) -> BatchTally:
    total = BatchTally(0)
    for one in sorted(found, key=lambda t: t.index):
        total.add(one)
    return total


_TEMPORARY = tempfile.gettempdir()
_loaded: dict[tuple[str, ...], ModelRunner] = {}
"""Models that this process of a cluster has loaded: the next shard of the same evaluation needs them, too."""


def _evaluate_shard(task: Task, shard: tuple[int, int], limit: int, scratch: str) -> tuple[list[BatchTally], list[str]]:
    """One shard, in a worker of the cluster."""
    skipped = SkipLog(limit)
    _enter(Path(_TEMPORARY, scratch))
    try:
        runners = [_runner(task, k) for k in range(len(task.targets))]
        return list(tallies(task, runners, shard, skipped)), skipped.messages
    except ModelCrashed:
        _close_all()
        raise


def _enter(scratch: Path) -> None:
    """All that this process writes goes there, where the end of the evaluation finds it."""
    if tempfile.tempdir != str(scratch):
        _close_all()  # of an evaluation before, whose files are gone
        scratch.mkdir(mode=0o700, exist_ok=True)  # other workers of this node have it, too
        tempfile.tempdir = str(scratch)


def _remove(scratch: str) -> None:
    shutil.rmtree(Path(_TEMPORARY, scratch), ignore_errors=True)


def _close_all() -> None:
    for runner in _loaded.values():
        runner.close()
    _loaded.clear()


def _runner(task: Task, k: int) -> ModelRunner:
    target = task.targets[k]
    key = (str(target.path), target.form, *target.tags, target.signature, str(k))
    if key not in _loaded:
        _loaded[key] = target.runner(task.timeout_s)
    return _loaded[key]
