import pytest

from tests.compat.helpers import bare, build, called, node, notes, transform

DEFAULTS = "add_default_attributes"


def test_defaults_are_written():
    lrn = node(transform(bare("x Placeholder", "lrn LRN x"), ["x"], ["lrn"], DEFAULTS), "lrn")
    assert lrn.attr["depth_radius"].i == 5
    assert [lrn.attr[k].f for k in ("bias", "alpha", "beta")] == [1, 1, 0.5]


def test_values_stay():
    graph = bare("x Placeholder", "lrn LRN x")
    lrn = node(graph, "lrn")
    lrn.attr["depth_radius"].i = 7
    for k, v in {"bias": 2, "alpha": 3, "beta": 0.25}.items():
        lrn.attr[k].f = v
    after = node(transform(graph, ["x"], ["lrn"], DEFAULTS), "lrn")
    assert after.attr["depth_radius"].i == 7
    assert [after.attr[k].f for k in ("bias", "alpha", "beta")] == [2, 3, 0.25]


@pytest.mark.parametrize("later", ["merge_duplicate_nodes", "merge_duplicate_nodes remove_nodes(op=Identity)"])
def test_later_transforms_keep_them(later):
    before = build(lambda v1: v1.matmul(v1.placeholder("float32", [2, 2], name="x"), [[1.0], [2.0]], name="y"))
    for key in ("transpose_a", "transpose_b"):
        del node(before, "y").attr[key]
    after = transform(before, ["x"], ["y"], f"{DEFAULTS} {later}")
    assert {"transpose_a", "transpose_b"} <= set(node(after, "y").attr)


def test_functions():
    before = build(lambda v1: called(v1, lambda x: v1.nn.lrn(v1.reshape(x, [1, 1, 1, 4]))))
    for f in before.library.function:
        for n in f.node_def:
            n.attr.pop("beta", None)
    after = transform(before, ["x"], ["output"], DEFAULTS)
    lrn = next(n for f in after.library.function for n in f.node_def if n.op == "LRN")
    assert lrn.attr["beta"].f == 0.5


def test_unknown_ops_stay_as_they_are():
    graph = bare("x Placeholder", "mine SomeonesOwnOp x", "lrn LRN mine")
    assert "depth_radius" in node(transform(graph, ["x"], ["lrn"], DEFAULTS), "lrn").attr
    assert "SomeonesOwnOp" in notes(graph, ["x"], ["lrn"], DEFAULTS)
