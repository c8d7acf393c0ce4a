"""The sentence that says what a run's answers rest on."""

from __future__ import annotations

from typing import Any

import pytest

from mmstudio.training.events import Combined
from mmstudio.training.shares import rests_on, rests_on_kinds

TWO, THREE = ["words", "sound"], ["image", "words", "sound"]


def one(kind: str, share: float, *inputs: str) -> dict[str, Any]:
    return {"kind": kind, "inputs": list(inputs), "name": "", "share": share}


def combined(**targets: list[dict[str, Any]]) -> Combined:
    return Combined(targets, {}, True)


def test_shares_are_summed_by_inputs_and_small_ones_left_out() -> None:
    told = [one("machine", 0.30, "sound"), one("head", 0.28, "sound"),
            one("fusion", 0.20, *TWO), one("machine", 0.15, *TWO), one("head", 0.05, "words"),
            one("machine", 0.02, "words")]
    assert rests_on(combined(label=told), TWO) == (
        "Answers rest on sound alone 58 %, words and sound together 35 %, words alone 7 %.")
    told[-1], told[-2] = one("machine", 0.06, "sound"), one("head", 0.01, "words")
    assert rests_on(combined(label=told), TWO) == (
        "Answers rest on sound alone 64 %, words and sound together 35 %.")
    assert rests_on_kinds(combined(label=told)) == [
        "label: quick models 51 %, the inputs' own heads 29 %, the fusion 20 %"]


def test_all_of_three_inputs_are_not_listed_and_two_of_them_are() -> None:
    told = [one("fusion", 0.6, *THREE), one("machine", 0.4, "image", "sound")]
    assert rests_on(combined(label=told), THREE) == (
        "Answers rest on all inputs together 60 %, image and sound together 40 %.")


@pytest.mark.parametrize(("second", "sentence"), [
    (0.6, "Answers rest on sound alone 65 %, words alone 35 %."),
    (0.1, "Answers rest for digit on sound alone 70 %, words alone 30 %; for voice on words "
          "alone 90 %, sound alone 10 %."),
])
def test_targets_are_named_where_they_differ_much(second: float, sentence: str) -> None:
    told = {name: [one("head", share, "sound"), one("head", 1 - share, "words")]
            for name, share in (("digit", 0.7), ("voice", second))}
    assert rests_on(combined(**told), TWO) == sentence


def test_of_many_different_targets_two_are_told() -> None:
    told = {name: [one("head", 1.0, name)] for name in THREE}
    assert rests_on(combined(**told), THREE) == (
        "Answers rest for image on image alone 100 %; for words on words alone 100 %; 1 target "
        "more.")


def test_of_a_single_input_the_kinds_of_models_are_told_and_of_nothing_nothing() -> None:
    told = [one("machine", 0.6, "sound"), one("fusion", 0.4, "sound")]
    assert rests_on(combined(label=told), ["sound"]) == (
        "Answers rest on quick models 60 %, the fusion 40 %.")
    assert rests_on(combined(label=[]), TWO) == ""
