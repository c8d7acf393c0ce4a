"""The rules: each is reached, only fusions that there are are named, reasons read as sentences."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mmstudio.advice.findings import findings_of
from mmstudio.advice.probe import Figure, Probe
from mmstudio.advice.rules import RULES, listed, rule_for
from mmstudio.advice.sample import Facts
from mmstudio.fusion import FUSIONS

FACTS = Facts({"image": "image", "words": "text"}, 3000, {"image": 1.0, "words": 1.0})
GOOD, WEAK, NOTHING = Figure(0.8, 0.77, 0.83), Figure(0.2, 0.17, 0.23), Figure(0.0, -0.01, 0.01)
GUESS = Figure(0.1, 0.08, 0.12)
PROBE = Probe(
    "digit", "classes", 2000, 0.1, {"image": GOOD, "words": GOOD}, GOOD,
    {"image": WEAK, "words": WEAK}, {("image", "words"): GOOD}, NOTHING)
NOISE = replace(PROBE, alone={"image": GOOD, "words": GUESS},
                unique={"image": GOOD, "words": NOTHING})
SAME = replace(PROBE, unique={"image": NOTHING, "words": NOTHING})
JOINT = replace(PROBE, joint=GOOD, joint_pairs=(("image", "words"),))
LONG = replace(FACTS, training_rows=20_000, long=("words", "sound"))

CASES = [
    ("one_input", replace(FACTS, inputs={"image": "image"}), None, "concat", "nothing to bring"),
    ("joint", FACTS, JOINT, "multiplicative", "image and words say in combination"),
    ("sequences", LONG, PROBE, "cross_attention", "20,000 training rows"),
    ("missing", replace(FACTS, present={"image": 1.0, "words": 0.5}), PROBE, "late",
     "words is often missing"),
    ("noise", FACTS, NOISE, "gated", "words says almost nothing"),
    ("redundant", FACTS, SAME, "late", "know nearly the same"),
    ("few_rows", replace(FACTS, training_rows=300), PROBE, "sum", "300 training rows are few"),
    ("usual", FACTS, PROBE, "concat", "image and words add to each other"),
]


@pytest.mark.parametrize(("name", "facts", "found", "fusion", "words"), CASES,
                         ids=[case[0] for case in CASES])
def test_each_rule_is_reached(
    name: str, facts: Facts, found: Probe | None, fusion: str, words: str
) -> None:
    rule = rule_for(facts, found)
    assert rule.name == name
    assert rule.fusion(len(facts.inputs), FUSIONS.names()) == fusion
    reason = rule.because(facts, found)
    assert words in reason and reason.endswith(".") and not reason[0].isspace()


def test_inputs_that_mend_each_others_errors_are_not_the_same() -> None:
    """Near the top little can be added; 97 and 95 of 100 alone and 99.9 together is a lot."""
    best, other = Figure(0.97, 0.96, 0.98), Figure(0.95, 0.94, 0.96)
    little = Figure(0.015, 0.01, 0.02)
    found = replace(
        PROBE, alone={"image": best, "words": other}, together=Figure(0.999, 0.998, 1.0),
        unique={"image": little, "words": little})
    assert rule_for(FACTS, found).name == "usual"
    assert rule_for(FACTS, replace(found, together=best)).name == "redundant"


def test_every_rule_has_a_case_and_a_source() -> None:
    assert [rule.name for rule in RULES] == [case[0] for case in CASES]
    assert all(rule.source for rule in RULES)


def test_only_known_fusions_are_recommended() -> None:
    known = FUSIONS.names()
    assert {name for rule in RULES for name in (*rule.two, *rule.more)} <= set(known)
    for rule in RULES:
        for inputs in range(1, 7):
            assert rule.fusion(inputs, known) in known
            assert rule.fusion(inputs, ["concat"]) == "concat"


def test_the_tensor_is_never_recommended_for_many_inputs() -> None:
    assert all("tensor" not in rule.more for rule in RULES)


def test_without_a_probe_the_counts_decide() -> None:
    assert rule_for(FACTS, None).name == "usual"
    assert "nothing speaks for" in rule_for(FACTS, None).because(FACTS, None)
    assert rule_for(replace(FACTS, training_rows=50), None).name == "few_rows"


def test_findings_say_it_in_words() -> None:
    texts = [f.text for f in findings_of(NOISE)]
    assert "image alone: right in 80 of 100; guessing: 10." in texts
    assert "words alone does no better than guessing." in texts
    assert "image and words share no information beyond chance." in texts
    assert "words adds nothing to the others beyond chance." in texts
    assert any(t.startswith("No sign that combinations of the inputs hold more") for t in texts)
    joint = [f.text for f in findings_of(JOINT)]
    assert "In combination 80 of 100 more are right: image with words." in joint
    assert "image and words both know the answer, each alone, in 80 of 100." in joint
    numbers = replace(PROBE, kind="numbers", chance=0.0)
    assert "image alone: 80 % of the differences explained." in [
        f.text for f in findings_of(numbers)]


def test_nearly_all_is_not_called_all() -> None:
    nearly = replace(PROBE, together=Figure(0.999, 0.99, 1.0))
    assert "All together: right in 99 of 100." in [f.text for f in findings_of(nearly)]


def test_names_in_a_sentence() -> None:
    assert [listed(n) for n in (["a"], ["a", "b"], ["a", "b", "c"])] == [
        "a", "a and b", "a, b and c"]
