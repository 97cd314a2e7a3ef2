import pytest

from tfpare.compat.syntax import Call, parse
from tfpare.errors import UsageError


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        ("foo", [Call("foo")]),
        ("foo bar", [Call("foo"), Call("bar")]),
        ("foo() bar()", [Call("foo"), Call("bar")]),
        ("foo(bob_something=sue)", [Call("foo", (("bob_something", "sue"),))]),
        ("bar(a=1, b=2, a=3)", [Call("bar", (("a", "1"), ("b", "2"), ("a", "3")))]),
        ('bar(a="1", b="1,2,3", a=3)', [Call("bar", (("a", "1"), ("b", "1,2,3"), ("a", "3")))]),
        ("", []),
        (" ", []),
        ("\\\n", []),
        ("  foo bar \\\n", [Call("foo"), Call("bar")]),
        ("foo(\\\n a=1,\\\n b=2)\\\nbar", [Call("foo", (("a", "1"), ("b", "2"))), Call("bar")]),
        ("foo(, a=1)", [Call("foo", (("a", "1"),))]),
        ("foo(a=-1.5e,b=x/y_z.w)", [Call("foo", (("a", "-1.5e"), ("b", "x/y_z.w")))]),
        (r'foo(a="say \"yes\" \\ no")', [Call("foo", (("a", r'say "yes" \ no'),))]),
        ('foo(a="")', [Call("foo", (("a", ""),))]),
    ],
)
def test_calls(text, calls):
    assert parse(text) == calls


def test_elements_of_a_list_follow_each_other():
    assert parse(["foo(a=1) bar", "", "baz"]) == [Call("foo", (("a", "1"),)), Call("bar"), Call("baz")]


@pytest.mark.parametrize(
    "text",
    [
        "foo(",
        "foo(a=1",
        'foo(a="1',
        "foo (a=1)",
        "foo(a =1)",
        "foo(a= 1)",
        "foo(a=1 , b=2)",
        "foo(a=1 )",
        "foo(a)",
        "foo(a=)",
        "foo(device=/device:CPU:0)",
        "foo, bar",
        "foo bar)",
    ],
)
def test_what_cannot_be_read(text):
    with pytest.raises(UsageError, match="expected"):
        parse(text)


def test_errors_show_the_place():
    with pytest.raises(UsageError, match=r"remove_nodes ' ☞ '\(op=Identity\)'"):
        parse("strip_unused_nodes remove_nodes (op=Identity)")


@pytest.mark.parametrize("text", ["foo", "foo(a=1, b=2, a=3)"])
def test_calls_are_shown_as_they_are_written(text):
    assert str(parse(text)[0]) == text
