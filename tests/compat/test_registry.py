import re

import pytest

from tfpare.compat import registry
from tfpare.compat.registry import TRANSFORMS, find, load_all, transform
from tfpare.compat.syntax import parse
from tfpare.engine.rule import Effect
from tfpare.errors import UsageError

load_all()


@pytest.fixture
def fresh():
    """Transforms that a test registers are gone after it."""
    before = dict(TRANSFORMS)
    yield
    TRANSFORMS.clear()
    TRANSFORMS.update(before)


@pytest.fixture
def one(fresh):
    @transform(effect=Effect.EXACT, aliases=("any",))
    def anything(
        work: object,
        *,
        text: str = "t",
        number: int = 1,
        ratio: float = 0.5,
        flag: bool = False,
        many: tuple[int, ...] = (),
        maybe: str | None = None,
    ) -> None:
        """Does nothing."""

    return TRANSFORMS["anything"]


def arguments(one, text):
    return one.arguments(parse(f"anything({text})")[0])


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", {}),
        ("text=x", {"text": "x"}),
        ("number=-23", {"number": -23}),
        ("ratio=-23.25", {"ratio": -23.25}),
        ("ratio=4", {"ratio": 4.0}),
        ("flag=true", {"flag": True}),
        ("flag=1", {"flag": True}),
        ("flag=false", {"flag": False}),
        ("flag=0", {"flag": False}),
        ("many=1, many=2", {"many": (1, 2)}),
        ("many=1", {"many": (1,)}),
        ("maybe=x", {"maybe": "x"}),
        ("ignore_errors=true", {}),
    ],
)
def test_arguments_have_types(one, text, found):
    assert arguments(one, text) == found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("number=not_numerical", "not a whole number"),
        ("number=-23.23", "not a whole number"),
        ("number=1_000", "not a whole number"),
        ("ratio=not_numerical", "not a number"),
        ("flag=not_boolean", "not true or false"),
        ("flag=True", "not true or false"),
        ("flag=yes", "not true or false"),
        ("many=1, many=x", "not a whole number"),
        *((f"{key}=1, {key}=1", "given 2 times") for key in ("text", "number", "ratio", "flag", "maybe")),
        ("txet=x", "Did you mean 'text'?"),
    ],
)
def test_wrong_arguments(one, text, message):
    with pytest.raises(UsageError, match=re.escape(message)):
        arguments(one, text)


def test_required_arguments(fresh):
    @transform(effect=None)
    def needy(work: object, *, name: str, ops: tuple[str, ...]) -> None:
        """Does nothing."""

    assert TRANSFORMS["needy"].needs_arguments
    with pytest.raises(UsageError, match="needs name"):
        TRANSFORMS["needy"].arguments(parse("needy(ops=a)")[0])
    with pytest.raises(UsageError, match="needs ops"):
        TRANSFORMS["needy"].arguments(parse("needy(name=a)")[0])


def test_aliases(one):
    assert find("any") is find("anything") is one
    assert find("obsfucate_names").name == "obfuscate_names"


def test_unknown_transform():
    with pytest.raises(UsageError, match=r"'remove_node' is not recognized\. Did you mean 'remove_nodes'"):
        find("remove_node")


def test_names_are_taken_once(one):
    for name in ("anything", "any"):
        function = type(lambda: None)((lambda work: None).__code__, {}, name)
        function.__doc__ = "Does nothing."
        with pytest.raises(ValueError, match="taken"):
            transform(effect=None)(function)


@pytest.mark.parametrize("name", sorted(TRANSFORMS))
def test_every_transform_is_documented(name):
    one = registry.TRANSFORMS[name]
    assert "Differs:" in one.doc
    assert "Source:" in one.doc
    assert one.doc.split("\n")[0].endswith((".", ";", ":"))
