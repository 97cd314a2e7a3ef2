import numpy as np
import pytest

from tests.harness import apply, assert_declines, assert_ignores, parse, run

DIVISION, XDIVY, RECIPROCAL = "replace_division_by_sqrt", "replace_xdivy_by_sqrt", "replace_reciprocal_of_sqrt"
FORMS = {DIVISION: "RealDiv(x, s)", XDIVY: "Xdivy(x, s)", RECIPROCAL: "Reciprocal(s)"}


def source(form: str, type_: str = "float32", out: str = "y") -> str:
    return f"x = input({type_}[?])\nv = input({type_}[?])\ns = Sqrt(v)\ny = {form}\nz = Neg(x)\nreturn {out}, z"


@pytest.mark.parametrize("form", ["FloorDiv(x, s)", "DivNoNan(x, s)", "RealDiv(s, x)"])
def test_ignores_other_divisions(form):
    for name in FORMS:
        assert_ignores(name, source(form))


@pytest.mark.parametrize("name", FORMS)
def test_declines_complex(name):
    assert_declines(name, source(FORMS[name], "complex64"), "complex")


@pytest.mark.parametrize("name", FORMS)
def test_keeps_a_root_that_is_fetched(name):
    assert_declines(name, source(FORMS[name], out="s, y"), "an inner node is an output")


@pytest.mark.parametrize("type_", ["float16", "float32", "float64"])
@pytest.mark.parametrize("name", FORMS)
def test_zeros_infinities_nan_and_negative_numbers(name, type_):
    special = [0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 4.0, 65504.0, 0.001, -3.0]
    x, v = (m.reshape(-1).astype(type_) for m in np.meshgrid(special, special))
    graph = parse(source(FORMS[name], type_))
    assert apply(graph, name)[name].applied == 1
    feeds = {"x:0": x, "v:0": v}
    a, b = run(parse(source(FORMS[name], type_)), feeds)["y:0"], run(graph, feeds)["y:0"]
    np.testing.assert_allclose(a, b, rtol=3e-3 if type_ == "float16" else 1e-6)
    signs = ~np.isnan(a) & ((x != 0) | (name != XDIVY))
    assert np.array_equal(np.signbit(a[signs]), np.signbit(b[signs]))
