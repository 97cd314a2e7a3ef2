"""freeze_requantization_ranges: constants from a log, in place of ranges that are measured."""

import numpy as np
import pytest

from tests.compat.helpers import build, inputs_of, names, ops, run, transform, worst_error
from tfpare.compat.transforms.freeze_requantization_ranges import Record, read_records
from tfpare.errors import TfpareError, UsageError

LINE = "I0108 21:45:42.261883 1972 logging_ops.cc:79] ;{}__print__;__requant_min_max:[{}][{}]"


def biased():
    """x + [0 … 5] with 8 bits: `sum`, `range`, `narrow` → `output`."""

    def make(v1):
        import tensorflow as tf

        raw = tf.raw_ops
        x = v1.placeholder("float32", [1, 6], name="x")
        offsets = v1.constant(np.arange(6, dtype=np.float32))
        q = raw.QuantizeV2(input=x, min_range=-2.0, max_range=4.0, T="quint8", mode="MIN_FIRST")
        b = raw.QuantizeV2(input=offsets, min_range=0.0, max_range=6.0, T="quint8", mode="MIN_FIRST")
        sums = raw.QuantizedBiasAdd(
            input=q[0],
            bias=b[0],
            min_input=q[1],
            max_input=q[2],
            min_bias=b[1],
            max_bias=b[2],
            out_type="qint32",
            name="sum",
        )
        limits = raw.RequantizationRange(input=sums[0], input_min=sums[1], input_max=sums[2], name="range")
        narrow = raw.Requantize(
            input=sums[0],
            input_min=sums[1],
            input_max=sums[2],
            requested_output_min=limits[0],
            requested_output_max=limits[1],
            out_type="quint8",
            name="narrow",
        )
        raw.Dequantize(input=narrow[0], min_range=narrow[1], max_range=narrow[2], mode="MIN_FIRST", name="output")

    return build(make)


X = {"x": np.array([[-1.5, -1, 0, 1, 2, 3.5]], np.float32)}


@pytest.fixture
def log(tmp_path, monkeypatch):
    """Writes lines to `min_max.log` in the working directory."""
    monkeypatch.chdir(tmp_path)

    def write(*lines):
        (tmp_path / "min_max.log").write_text("\n".join(lines))

    return write


def frozen(before, arguments="", outputs=("output",)):
    call = f"freeze_requantization_ranges(min_max_log_file=min_max.log{arguments})"
    return transform(before, ["x"], list(outputs), call)


def limits(graph_def):
    return [float(v) for v in run(graph_def, {}, "range/frozen_min", "range/frozen_max")]


def test_one_record(log):
    log("Something irrelevant", LINE.format("range", -1.6, 8.6), "Something else irrelevant")
    before = biased()
    after = frozen(before)
    assert "RequantizationRange" not in ops(after)
    assert inputs_of(after, "narrow")[3:] == ["range/frozen_min", "range/frozen_max"]
    assert limits(after) == pytest.approx([-1.6, 8.6])
    assert worst_error(before, after, X, "output") < 0.5


def test_records_among_other_lines():
    lines = [
        "Something irrelevant",
        LINE.format("first", "-1.5", "6e1"),
        LINE.format("broken", "notanumber", "2"),
        LINE.format("infinite", "-inf", "2"),
        LINE.format("scope/second", "0", "0.25"),
        ";op_only__print__;__requant_min_max:[1]",
        ";RequantizationRange;;third__print__;__requant_min_max:[-3][4]",
        ";other__print__;other message:[1][2]",
    ]
    assert read_records(lines) == [Record("first", -1.5, 60), Record("scope/second", 0, 0.25), Record("third", -3, 4)]


def test_as_many_outliers_go_at_both_ends(log):
    log(*(LINE.format("range", -101.6 if k < 5 else -1.6, 108.6 if k < 5 else 8.6) for k in range(100)))
    assert limits(frozen(biased())) == pytest.approx([-1.6, 8.6])


def test_percentiles(log):
    log(*(LINE.format("range", -k - 1, k + 1) for k in range(20)))
    assert limits(frozen(biased(), ", min_percentile=0, max_percentile=0")) == [-20, 20]
    assert limits(frozen(biased(), ", min_percentile=10, max_percentile=25")) == [-18, 15]
    assert limits(frozen(biased(), ", min_percentile=99.9, max_percentile=99.9")) == [-1, 1]


@pytest.mark.parametrize("arguments", ["min_percentile=100", "max_percentile=100", "min_percentile=-1"])
def test_impossible_percentiles_are_refused(log, arguments):
    log(LINE.format("range", -1, 1))
    with pytest.raises(UsageError, match="percentile"):
        frozen(biased(), f", {arguments}")


def test_range_contains_zero_and_is_not_empty(log):
    log(LINE.format("range", 1.5, 8))
    assert limits(frozen(biased())) == [0, 8]
    log(LINE.format("range", -3, -4))
    with pytest.raises(UsageError, match="percentiles"):
        frozen(biased())


def test_what_is_logged_of_our_own_graphs_is_understood(log, capfd):
    """quantize_nodes, insert_logging, a call, freeze_requantization_ranges: the documented round."""

    def make(v1):
        x = v1.placeholder("float32", [1, 6], name="x")
        v1.matmul(x, v1.constant(np.ones((6, 2), np.float32)), name="output")

    before = build(make)
    quantized = transform(before, ["x"], ["output"], "quantize_nodes")
    message = 'insert_logging(op=RequantizationRange, show_name=true, message="__requant_min_max:")'
    logging = transform(quantized, ["x"], ["output"], message)
    run(logging, X, "output")
    log(*capfd.readouterr().err.splitlines())
    after = frozen(quantized)
    assert "RequantizationRange" not in ops(after)
    assert worst_error(before, after, X, "output") < 0.5


def test_requested_range_stays_beside_its_constants(log):
    log(LINE.format("range", -1.6, 8.6))
    after = frozen(biased(), outputs=("output", "range:1"))
    assert inputs_of(after, "narrow")[3:] == ["range/frozen_min", "range/frozen_max"]
    assert "range" in names(after)
    run(after, X, "range:1")


def test_loop(log):
    def make(v1):
        v1.disable_control_flow_v2()
        x = v1.placeholder("float32", [1, 6], name="x")
        weights = v1.constant(np.eye(6, dtype=np.float32) * 0.5)
        body = lambda i, y: (i + 1, v1.matmul(y, weights, name="m"))  # noqa: E731
        v1.identity(v1.while_loop(lambda i, y: i < 2, body, [v1.constant(0), x])[1], name="output")

    before = build(make)
    quantized = transform(before, ["x"], ["output"], "quantize_nodes")
    name = next(n.name for n in quantized.node if n.op == "RequantizationRange")
    log(LINE.format(name, -2, 2))
    assert worst_error(before, frozen(quantized), X, "output") < 0.1


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (LINE.format("nope", -1, 1), "'nope'"),
        (LINE.format("narrow", -1, 1), "is a Requantize"),
        ("nothing of use", "holds no line"),
    ],
)
def test_useless_logs_are_refused(log, line, reason):
    log(line)
    with pytest.raises(TfpareError, match=reason):
        frozen(biased())


def test_missing_file_and_argument_are_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"min_max\.log"):
        frozen(biased())
    with pytest.raises(UsageError, match="min_max_log_file"):
        transform(biased(), ["x"], ["output"], "freeze_requantization_ranges")
