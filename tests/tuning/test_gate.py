"""Layers stay out of 8 bits where that is measured to be slower."""

from tests.harness import parse, random_feeds
from tests.quant.int8 import EVERY, measured
from tfpare.quant.scheme import make_scheme
from tfpare.tuning.gate import slower_layers
from tfpare.tuning.op_times import OpTimes, op_times

CHAIN = """
    x = input(float32[1,16,16,8])
    k = const(float32[1,1,8,8])
    a = Conv2D(x, k, strides=[1,1,1,1], padding=SAME)
    b = Relu(a)
    c = Conv2D(b, k, strides=[1,1,1,1], padding=SAME)
    d = Relu(c)
    y = Conv2D(d, k, strides=[1,1,1,1], padding=SAME)
    return y
"""


def planned():
    graph = parse(CHAIN)
    return graph, make_scheme(graph, measured(graph, random_feeds(graph)), EVERY)


def refused(times, other="float32"):
    graph, scheme = planned()
    return [r.name for r in slower_layers(graph, scheme, dict(zip(scheme.units, times, strict=True)), other)]


def times(float32, int8, bfloat16=None, border=1.0):
    return OpTimes(float32, bfloat16, int8, quantize=border, dequantize=border)


def test_all_are_kept_where_all_gain():
    assert refused([times(100, 30)] * 3) == []


def test_all_stay_out_where_none_gains():
    assert refused([times(30, 40)] * 3) == ["a", "c", "y"]


def test_one_that_gains_less_than_its_borders_cost_stays_out():
    assert refused([times(100, 98, border=20)] * 3) == ["a", "c", "y"]


def test_a_slower_one_between_faster_ones_stays_in_where_taking_it_out_costs_two_roundings():
    assert refused([times(100, 30, border=20), times(30, 35, border=20), times(100, 30, border=20)]) == []
    assert refused([times(100, 30), times(30, 95), times(100, 30)]) == ["c"]


def test_bfloat16_is_the_yardstick_where_the_rest_is_in_it():
    some = [times(100, 60, bfloat16=40)] * 3
    assert refused(some) == []
    assert refused(some, "bfloat16") == ["a", "c", "y"]


def test_a_kernel_that_does_not_run_stays_out_with_a_reason():
    graph, scheme = planned()
    missing = dict.fromkeys(scheme.units, OpTimes(float32=10.0))
    found = slower_layers(graph, scheme, missing, "float32")
    assert [r.why for r in found] == ["its 8-bit kernel does not run here"] * 3


def test_times_are_measured_once_and_kept(tmp_path, monkeypatch):
    from tfpare.tuning import op_times as module

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    module._cache.cache_clear()
    _, scheme = planned()
    told = []
    found = op_times(scheme, lambda done, total: told.append((done, total)))
    assert told == [(0, 3), (1, 3), (2, 3)]  # a shifted input, one that is not, no Relu behind
    assert all(t.float32 and t.int8 and t.quantize for t in found.values())
    assert len(list((tmp_path / "tfpare").iterdir())) == 1
    module._cache.cache_clear()
    again = op_times(scheme, lambda done, total: told.append((done, total)))
    assert again == found
    assert len(told) == 3
    module._cache.cache_clear()
