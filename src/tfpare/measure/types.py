"""What a benchmark takes and gives: plain data, so that reports and pages need nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path


class Via(str, Enum):
    """How a model is called."""

    AUTO = "auto"
    """Signature functions where all models have them, else a Session for all."""
    SIGNATURE = "signature"
    """`tf.saved_model.load(...).signatures[...]`, as Python code does."""
    SESSION = "session"
    """A Session, as TensorFlow Serving does."""
    TFSM = "tfsm"
    """`keras.layers.TFSMLayer`, as Keras 3 code does."""


class Verdict(str, Enum):
    """What may be said about two models."""

    FASTER = "faster"
    SLOWER = "slower"
    NONE = "no difference seen"


@dataclass(frozen=True, slots=True)
class BenchmarkOptions:
    """What to measure, and for how long.

    Attributes:
        tags, signature, input_names, output_names: what to call; by default `serving_default`, else the only signature.
        batches: rows of a call, one measurement each.
        streams: callers at the same time.
        rate: calls a second that arrive at random (Poisson), whether the model is ready or not; 0 calls again as soon
            as the last call has returned.
        repeats: fresh processes for each model.
        max_repeats: further ones, up to so many in all, while the ratio of warm calls is not known to 5 % because
            processes scatter. None: twice as many, from 5 repeats on (with fewer it is never known so well).
        min_seconds, min_runs: warm calls go on until both are reached, over all repeats.
        min_effect: smallest relative difference that is called one, however sure it is.
        via: how the model is called.
        data: where inputs come from (see `tfpare.data`), None to draw them.
        inputs, input_exprs: as in saved_model_cli.
        seed: of drawn inputs, arrival times and the bootstrap.
        profile: also trace some calls op by op.
        tensorboard: directory to write graph and trace to.
        intra_threads, inter_threads: TensorFlow's thread pools, 0 for its own choice.
        measure_zip: also compress the files to see what they take in an archive.
    """

    tags: tuple[str, ...] | None = None
    signature: str = ""
    input_names: tuple[str, ...] = ()
    output_names: tuple[str, ...] = ()
    batches: tuple[int, ...] = (1,)
    streams: int = 1
    rate: float = 0.0
    repeats: int = 7
    max_repeats: int | None = None
    min_seconds: float = 10.0
    min_runs: int = 50
    min_effect: float = 0.03
    via: Via = Via.AUTO
    data: str | None = None
    inputs: str = ""
    input_exprs: str = ""
    seed: int = 0
    profile: bool = False
    tensorboard: Path | None = None
    intra_threads: int = 0
    inter_threads: int = 0
    measure_zip: bool = True


@dataclass(frozen=True, slots=True)
class Latency:
    """A distribution of times of single calls, milliseconds; `cv` is std / mean."""

    count: int
    min_ms: float
    median_ms: float
    mean_ms: float
    p90_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    std_ms: float
    cv: float


@dataclass(frozen=True, slots=True)
class Workload:
    """One way to call: rows of a call, callers at a time, arrivals a second (0: closed loop), feeding timed or not."""

    batch: int = 1
    streams: int = 1
    rate: float = 0.0
    feeding: bool = True


@dataclass(frozen=True, slots=True)
class WarmCalls:
    """Warm calls of one model under one workload, over all repeats.

    Attributes:
        seconds: that the calls took in wall time.
        calls_per_s, rows_per_s: throughput over these seconds.
        samples_ms: times of single calls in the order they were made (for `rate`: from the scheduled arrival), at most
            `MAX_SAMPLES`, evenly thinned.
        repeat_counts: how many of `samples_ms` come from each process.
        late_share: for `rate`, time that was needed beyond the last arrivals and one call, as a share: above a few
            percent the queue grew, and latencies depend on how long was measured.
    """

    workload: Workload
    latency: Latency
    seconds: float
    calls_per_s: float
    rows_per_s: float
    samples_ms: tuple[float, ...]
    repeat_counts: tuple[int, ...]
    late_share: float = 0.0


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident memory of the process, bytes, the largest of all repeats; 0 where the system does not tell.

    Attributes:
        imported: once TensorFlow was imported (part of all the others).
        loaded: once the model was loaded; load_peak: the peak until then.
        first_call_peak: the peak during the first call.
        running_peak: the peak during warm calls.
    """

    imported: int = 0
    loaded: int = 0
    load_peak: int = 0
    first_call_peak: int = 0
    running_peak: int = 0


@dataclass(frozen=True, slots=True)
class FileSizes:
    """Bytes on disk, as they are and in a zip archive (None where that was not asked for)."""

    raw: int
    zipped: int | None = None


@dataclass(frozen=True, slots=True)
class OpTime:
    """Traced time of an op type or of one node (then `name` is the node's, `op` its type) in one call."""

    op: str
    name: str
    ms: float
    calls: float
    share: float


@dataclass(frozen=True, slots=True)
class Profile:
    """Time by op type and by node of an average traced call; tracing itself takes time, so look at shares.

    Attributes:
        traced_ms: sum over all nodes, several of which may run at the same time.
        by_op, by_node: longest first.
    """

    calls: int
    traced_ms: float
    by_op: tuple[OpTime, ...]
    by_node: tuple[OpTime, ...]


@dataclass(frozen=True, slots=True)
class ModelTimes:
    """What was measured of one model; each tuple of seconds has one entry a process.

    Attributes:
        via: how it was called.
        warm: one entry a workload.
    """

    model: Path
    form: str
    via: str
    signature: str
    import_s: tuple[float, ...]
    load_s: tuple[float, ...]
    first_call_s: tuple[float, ...]
    warm: tuple[WarmCalls, ...]
    memory: Memory
    files: FileSizes
    profile: Profile | None = None


@dataclass(frozen=True, slots=True)
class Interval:
    """A ratio with its confidence interval."""

    value: float
    low: float
    high: float
    confidence: float = 0.95


@dataclass(frozen=True, slots=True)
class Ratio:
    """Time of a model as a multiple of the first model's time: below 1 is faster.

    Attributes:
        model: position of the model among the report's.
        phase: `load`, `first call` or `warm calls`.
        workload: of warm calls.
        pairs: turns of both models; repeats: pairs of fresh processes that the turns were in.
        min_effect: what a difference must exceed to be called one.
    """

    model: int
    phase: str
    workload: Workload | None
    interval: Interval
    pairs: int
    repeats: int
    min_effect: float
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Environment:
    """The machine and the TensorFlow that the numbers belong to.

    Attributes:
        isa: instruction sets that matter to kernels.
        cores: processors that the process may use; physical_cores: of the machine.
        quota_cores: processors that the container may use, None without a limit.
        governor: of the processor's clock, empty where unknown.
        load: load average (1 minute) when the measurement began.
        others_share: share of the machine's processor time that other programs took meanwhile.
        throttled_s: time for which the container was stopped because its quota was used up.
        tensorflow, build, onednn, intra_threads, inter_threads: of the measured processes; threads 0 is TensorFlow's
            choice.
        variables: environment variables that change how TensorFlow runs.
    """

    cpu: str = ""
    isa: tuple[str, ...] = ()
    cores: int = 0
    physical_cores: int = 0
    quota_cores: float | None = None
    memory_bytes: int = 0
    governor: str = ""
    system: str = ""
    python: str = ""
    tensorflow: str = ""
    build: str = ""
    onednn: bool | None = None
    intra_threads: int = 0
    inter_threads: int = 0
    variables: dict[str, str] = field(default_factory=dict[str, str])
    load: float = 0.0
    others_share: float = 0.0
    throttled_s: float = 0.0


MAX_SAMPLES = 10_000


@dataclass(slots=True)
class BenchmarkReport:
    """Everything that was measured.

    Attributes:
        inputs: where the inputs came from, in words.
        ratios: of every model but the first, against the first.
        warnings: why a number may be weaker than it looks.
        command: that repeats the measurement, where it came from the command line.
    """

    models: list[ModelTimes]
    ratios: list[Ratio]
    environment: Environment
    inputs: str
    options: BenchmarkOptions
    warnings: list[str] = field(default_factory=list[str])
    notes: list[str] = field(default_factory=list[str])
    command: str = ""
    seconds: float = 0.0
