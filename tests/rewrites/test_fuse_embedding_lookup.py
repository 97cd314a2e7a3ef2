import pytest

from tests.harness import apply, assert_declines, assert_ignores, assert_rewrites, parse, random_feeds, run

LOOKUP, CAST = "fuse_embedding_lookup", "remove_cast_before_segment_sum"
TABLE = "table = const(float32[9,4])\nids = const(int64, [5, 2, 5, 0])\n"


def lookup(
    op="SparseSegmentSum", gather="GatherV2(table, u, axis)", axis="0", places="places", out="y", wait=""
) -> str:
    body = (
        f"u, places = Unique(ids{wait})\naxis = const(int32, {axis})\nrows = {gather}\ns = const(int32, [0, 0, 2, 2])\n"
    )
    count = ", n" if op.endswith("NumSegments") else ""
    return f"{TABLE}{body}n = const(int32, 4)\ny = {op}(rows, {places}, s{count})\nreturn {out}"


@pytest.mark.parametrize("reduction", ["Sum", "Mean", "SqrtN"])
@pytest.mark.parametrize("count", ["", "WithNumSegments"])
@pytest.mark.parametrize("gather", ["GatherV2(table, u, axis)", "Gather(table, u)"])
def test_each_reduction(reduction, count, gather):
    name = f"SparseSegment{reduction}{count}"
    n = "n = const(int32, 4)\n" if count else ""
    after = f"{TABLE}s = const(int32, [0, 0, 2, 2])\n{n}y = {name}(table, ids, s{', n' if count else ''})\nreturn y"
    assert_rewrites(LOOKUP, lookup(name, gather), after)


def test_ignores_other_indices():
    assert_ignores(LOOKUP, lookup(places="k").replace("rows =", "k = const(int32, [0, 1, 1, 2])\nrows ="))
    assert_ignores(LOOKUP, lookup(gather="GatherV2(table, ids, axis)"))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"axis": "1"}, "the first axis"),
        ({"gather": "GatherV2(table, u, axis, batch_dims=1)"}, "the first axis"),
        ({"gather": "GatherV2(table, u, ids2)"}, "the first axis"),
        ({"gather": "GatherV2(table, u, axis, ^w)"}, "waits for a control input"),
        ({"wait": ", ^w"}, "waits for a control input"),
    ],
)
def test_declines(changes, reason):
    text = "w = const(float32)\nids2 = input(int32)\n" + lookup(**changes)
    assert_declines(LOOKUP, text, reason)


def test_declines_another_device():
    graph = parse(lookup())
    graph.nodes["rows"].device = "/device:CPU:0"
    assert "the nodes are placed on different devices" in apply(graph, LOOKUP)[LOOKUP].declined


def test_rows_that_are_fetched_stay():
    graph = parse(lookup(out="rows, places, y"))
    assert apply(graph, LOOKUP)[LOOKUP].applied == 1
    before, after = run(parse(lookup(out="rows, places, y")), {}), run(graph, random_feeds(graph))
    assert all((before[k] == after[k]).all() for k in before)


def cast(source: str, target: str, out: str = "y", wait: str = "") -> str:
    head = (
        f"w = const(float32)\nx = const(float32[9,4])\ni = const({source}, [0, 3, 1])\nj = Cast(i{wait}, DstT={target})"
    )
    return f"{head}\ns = const(int32, [0, 0, 1])\ny = SparseSegmentMean(x, j, s)\nreturn {out}"


def test_declines_casts_that_narrow():
    assert_declines(CAST, cast("int64", "int32"), "wraps around")


def test_declines_casts_that_wait():
    assert_declines(CAST, cast("int32", "int64", wait=", ^w"), "waits for a control input")


@pytest.mark.parametrize("source", ["int8", "int16", "uint8"])
def test_ignores_types_without_kernel(source):
    assert_ignores(CAST, cast(source, "int64"))


def test_a_cast_that_others_read_stays():
    graph = parse(cast("int32", "int64", out="j, y"))
    assert apply(graph, CAST)[CAST].applied == 1
    assert "Cast" in {n.op for n in graph}
