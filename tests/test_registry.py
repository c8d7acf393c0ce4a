"""Options read from signatures, and classes found by name."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

import pytest

from mmstudio.encoders import ENCODERS
from mmstudio.errors import UserError, nearest
from mmstudio.fusion import FUSIONS
from mmstudio.modalities import MODALITIES
from mmstudio.registry import Help, Option, Range, Registry, checked_options, options_of
from mmstudio.tasks import TASKS

COMPONENTS = [cls for registry in (MODALITIES, ENCODERS, FUSIONS, TASKS)
              for cls in registry.classes().values()]


class Sample:
    def __init__(
        self,
        wired: int,
        also_wired: int = 3,
        *,
        count: Annotated[int, Range(1, 8, "how many")] = 2,
        share: Annotated[float, Range(0.0, 0.5, "how much")] = 0.25,
        kind: Annotated[Literal["a", "b"], Help("which")] = "a",
        switch: Annotated[bool, Help("whether")] = False,
        words: Annotated[str, Help("what")] = "",
    ) -> None: ...


OPTIONS = options_of(Sample)


def test_options_are_the_keyword_only_arguments_in_order() -> None:
    assert list(OPTIONS) == ["count", "share", "kind", "switch", "words"]
    assert OPTIONS["count"] == Option("count", "int", 2, "how many", 1, 8)
    assert OPTIONS["share"] == Option("share", "float", 0.25, "how much", 0.0, 0.5)
    assert OPTIONS["kind"] == Option("kind", "choice", "a", "which", choices=("a", "b"))
    assert OPTIONS["switch"] == Option("switch", "bool", False, "whether")
    assert OPTIONS["words"] == Option("words", "text", "", "what")


@pytest.mark.parametrize(("name", "value", "taken"), [
    ("count", 1, 1), ("count", 8, 8), ("count", 3.0, 3), ("share", 0, 0.0), ("share", 0.5, 0.5),
    ("kind", "b", "b"), ("switch", True, True), ("words", "x", "x"),
])
def test_a_value_is_taken_in_its_own_type(name: str, value: Any, taken: Any) -> None:
    checked = OPTIONS[name].checked(value, "key")
    assert checked == taken
    assert type(checked) is type(taken)


@pytest.mark.parametrize(("name", "value"), [
    ("count", 0), ("count", 9), ("count", 2.5), ("count", "3"), ("count", True), ("count", None),
    ("count", [1]), ("count", math.inf), ("count", math.nan), ("count", 10**400),
    ("share", -0.1), ("share", 0.51), ("share", "0.1"), ("share", False), ("share", math.nan),
    ("share", math.inf), ("share", -math.inf), ("share", 10**400),
    ("kind", "c"), ("kind", 1), ("kind", ["a"]), ("kind", {}),
    ("switch", 1), ("switch", "true"), ("words", 1), ("words", None),
], ids=lambda x: str(x)[:20])
def test_a_wrong_value_is_refused_with_its_key_and_what_is_allowed(name: str, value: Any) -> None:
    with pytest.raises(UserError) as caught:
        OPTIONS[name].checked(value, f"part.{name}")
    assert caught.value.message.startswith(f"part.{name} = ")
    assert caught.value.hint


def test_every_option_gets_its_value_and_an_unknown_one_its_nearest_name() -> None:
    assert checked_options(OPTIONS, {"count": 5}, "part") == {
        "count": 5, "share": 0.25, "kind": "a", "switch": False, "words": ""}
    with pytest.raises(UserError, match=r"part\.cuont.*Did you mean 'count'"):
        checked_options(OPTIONS, {"cuont": 5}, "part")


def test_an_option_without_range_or_help_is_the_authors_mistake() -> None:
    class Bare:
        def __init__(self, *, count: int = 2) -> None: ...

    class Strange:
        def __init__(self, *, names: Annotated[list, Help("x")] = ()) -> None: ...

    with pytest.raises(TypeError, match="count"):
        options_of(Bare)
    with pytest.raises(TypeError, match="names"):
        options_of(Strange)


@pytest.mark.parametrize("cls", COMPONENTS, ids=lambda c: c.__name__)
def test_every_default_is_within_its_own_range(cls: type) -> None:
    for name, option in options_of(cls).items():
        assert option.checked(option.default, name) == option.default
        assert option.help
        assert option.to_json()["help"] == option.help


@pytest.mark.parametrize(
    "registry", [MODALITIES, ENCODERS, FUSIONS, TASKS], ids=lambda r: r.kind)
def test_a_registry_finds_its_classes_by_name(registry: Registry[Any]) -> None:
    assert registry.names() == sorted(registry.names())
    for name, cls in registry.classes().items():
        assert registry.get(name) is cls
        assert cls.name == name
    with pytest.raises(UserError) as caught:
        registry.get(registry.names()[0] + "x", "some.key")
    assert "some.key" in caught.value.message
    assert registry.kind in caught.value.message
    assert f"Did you mean '{registry.names()[0]}'?" in caught.value.hint


def test_an_unknown_name_gives_only_those_that_fit() -> None:
    with pytest.raises(UserError) as caught:
        ENCODERS.get("resnet", "inputs.image.encoder.name", modality="image")
    assert "cnn" in caught.value.hint
    assert not any(other in caught.value.hint for other in ("rnn", "pretrained_text"))


def test_the_components_of_the_first_version_are_there() -> None:
    assert {"image", "text", "audio"} <= set(MODALITIES.names())
    assert {"cnn", "rnn", "crnn"} <= set(ENCODERS.names())
    assert {"concat", "sum", "gated"} <= set(FUSIONS.names())
    assert {"classification"} <= set(TASKS.names())


def test_two_classes_of_one_name_are_the_authors_mistake() -> None:
    registry: Registry[Any] = Registry("thing", "mmstudio.fusion")

    class First: ...

    class Second: ...

    registry.register("one", title="One", summary="x")(First)
    with pytest.raises(ValueError, match="one"):
        registry.register("one", title="One", summary="x")(Second)


def test_nearest_names_the_nearest_and_all() -> None:
    assert nearest("gatd", ["sum", "gated"]) == "Did you mean 'gated'? Known: gated, sum."
    assert nearest("zzzz", ["sum", "gated"]) == "Known: gated, sum."
    assert nearest("x", []) == "There is none."


def test_a_user_error_reads_as_one_sentence_after_the_other() -> None:
    error = UserError("It is broken.", "Mend it.")
    assert (error.message, error.hint) == ("It is broken.", "Mend it.")
    assert str(error) == "It is broken. Mend it."
    assert str(UserError("It is broken.")) == "It is broken."
