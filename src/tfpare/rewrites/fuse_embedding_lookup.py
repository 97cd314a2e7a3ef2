"""Embedding lookups that gather each distinct row once, only to sum the rows → the sum alone."""

from __future__ import annotations

from tfpare.authoring import Builder, Effect, Node, Value, op, require, rewrite

_SEGMENTS = (
    "SparseSegmentSum | SparseSegmentSumWithNumSegments | SparseSegmentMean | SparseSegmentMeanWithNumSegments | "
    "SparseSegmentSqrtN | SparseSegmentSqrtNWithNumSegments"
)
_INTS = ("int32", "int64")


@rewrite(op(_SEGMENTS, bind="total"), effect=Effect.EXACT)
def fuse_embedding_lookup(new: Builder, total: Node) -> Value | None:
    """SparseSegmentSum(Gather(table, Unique(ids)), places, s) = SparseSegmentSum(table, ids, s), also Mean, SqrtN.

    Before:
        table = const(float32[9,4])
        ids = input(int64[?])
        u, places = Unique(ids)
        axis = const(int32, 0)
        rows = GatherV2(table, u, axis)
        segments = const(int32, [0, 0, 1])
        y = SparseSegmentMean(rows, places, segments)
        return y

    After:
        table = const(float32[9,4])
        ids = input(int64[?])
        segments = const(int32, [0, 0, 1])
        y = SparseSegmentMean(table, ids, segments)
        return y

    Declines when: the rows are gathered along another axis than the first, or in batches; the rows or the places wait
    for a control input.
    Source: Grappler's arithmetic optimizer (SimplifyEmbeddingLookup).
    """
    rows = new.producer(total.inputs[0], "GatherV2 | Gather")
    unique = new.producer(total.inputs[1], "Unique") if rows is not None else None
    if rows is None or unique is None or rows.inputs[1] != unique.out(0) or total.inputs[1].index != 1:
        return None
    axis = new.constant_of(rows.inputs[2]) if rows.op == "GatherV2" else None
    along = rows.op == "Gather" or (axis is not None and axis.size == 1 and int(axis.ravel()[0]) == 0)
    require(along and rows.get("batch_dims", 0) == 0, "the rows are not gathered along the first axis", at=rows)
    require(not rows.controls and not unique.controls, "an inner node waits for a control input", at=rows)
    require(total.device == rows.device == unique.device, "the nodes are placed on different devices", at=rows)
    ids = unique.inputs[0]
    return new.like(total, rows.inputs[0], ids, *total.inputs[2:], Tidx=ids.dtype.base)


@rewrite(op(_SEGMENTS, bind="total"), effect=Effect.EXACT)
def remove_cast_before_segment_sum(new: Builder, total: Node) -> Value | None:
    """SparseSegmentSum(x, Cast(i, int64), Cast(s, int64)) = SparseSegmentSum(x, i, s) for int32 indices and segments.

    Before:
        x = input(float32[9,4])
        i = const(int32, [0, 3, 1])
        j = Cast(i, DstT=int64)
        s = const(int32, [0, 0, 1])
        t = Cast(s, DstT=int64)
        y = SparseSegmentSum(x, j, t)
        return y

    After:
        x = input(float32[9,4])
        i = const(int32, [0, 3, 1])
        s = const(int32, [0, 0, 1])
        y = SparseSegmentSum(x, i, s)
        return y

    Declines when: the cast narrows (an index out of the range of int32 wraps around); it waits for a control input.
    Source: Grappler's arithmetic optimizer (RemoveCastIntoSegmentReduction), which drops narrowing casts too.
    """
    inputs = list(total.inputs)
    for k in (1, 2):
        cast = new.producer(inputs[k], "Cast")
        if cast is not None and cast.inputs[0].dtype.base.name in _INTS:
            widens = (cast.inputs[0].dtype.base.name, cast.dtypes[0].name) == _INTS
            require(widens, "an index out of the range of int32 wraps around", at=cast)
            require(not cast.controls, "the cast waits for a control input", at=cast)
            inputs[k] = cast.inputs[0]
    if inputs == list(total.inputs):
        return None
    return new.like(total, *inputs, Tidx=inputs[1].dtype.base, Tsegmentids=inputs[2].dtype.base)
