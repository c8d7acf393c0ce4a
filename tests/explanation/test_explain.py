"""What of one sample counted, of a trained model: which words, and what turns the answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mmstudio.errors import UserError
from mmstudio.explanation.asked import Asked
from mmstudio.explanation.change import is_turned
from mmstudio.explanation.explain import explain, explaining
from mmstudio.inference.calibrated import Calibration, SubsetCalibration
from mmstudio.inference.predictor import Predictor
from mmstudio.tasks.base import Answer
from tests.small_project import read_rows, train_small, write_small_project


@pytest.fixture(scope="module")
def predictor(trained: Path) -> Predictor:
    return Predictor(trained)


@pytest.fixture(scope="module")
def sample(trained: Path) -> dict[str, Any]:
    folder = trained.parent.parent
    row = read_rows(folder)[33]
    return {"image": folder / row["file_name"], "words": row["text"],
            "sound": folder / row["audio"]}


def test_the_words_that_tell_count_the_most(predictor: Predictor) -> None:
    text = "tiny two roads meet 4"
    told = explain(predictor, {"words": text}, "shape", "cross").inputs["words"]
    words = {spot.name: spot for spot in told.shown.spots}
    assert list(words) == ["tiny", "two", "roads", "meet", "4"]
    assert {"two", "roads", "meet"} & {max(words.values(), key=lambda s: s.weight).name}
    for name, spot in words.items():
        assert text[spot.where["begin"] : spot.where["end"]] == name


def test_the_answer_is_explained_unless_asked_otherwise(
    predictor: Predictor, sample: dict[str, Any]
) -> None:
    answer = predictor.predict(sample).tasks["shape"].label
    found = explain(predictor, sample)
    assert (found.task, found.label, found.answer.label) == ("shape", answer, answer)
    other = next(label for label in ("bar", "cross", "dot") if label != answer)
    assert explain(predictor, sample, "shape", other).label == other
    assert not explain(predictor, sample, "shape", other).tried


def test_it_is_told_step_by_step(predictor: Predictor, sample: dict[str, Any]) -> None:
    counts = [len(known.inputs) for known in explaining(predictor, sample)]
    assert counts[:3] == [1, 2, 3] and set(counts[3:]) == {3}


@pytest.mark.parametrize(("given", "said"), [
    ({"task": "colour"}, "no target 'colour'"), ({"label": "ring"}, "not a label of 'shape'"),
    ({"use": {"smell"}}, "no input 'smell'"), ({"use": {"sound"}}, "No input is present"),
])
def test_what_is_wrong_is_told(predictor: Predictor, given: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        explain(predictor, {"words": "two roads"}, **given)


def test_what_turns_an_answer_was_asked_of_the_model(
    predictor: Predictor, sample: dict[str, Any]
) -> None:
    found = explain(predictor, {"words": "grand long straight line 7"})
    assert found.tried
    for turn in found.turns:
        assert is_turned(found.answer, turn.after)
        asked = Asked(predictor, {"words": "grand long straight line 7"})
        pieces = asked.pieces("words")
        assert pieces is not None
        gone = np.zeros((1, *pieces.shape), dtype=bool)
        gone[0, list(turn.places)] = True
        answer = asked.answers("shape", asked.without("words", gone)["shape"])[0]
        assert answer.label == turn.after.label != found.answer.label
        # none of them can stay
        for place in turn.places:
            fewer = gone.copy()
            fewer[0, place] = False
            kept = asked.answers("shape", asked.without("words", fewer)["shape"])[0]
            assert len(turn.places) > 1 or kept.label == found.answer.label


def test_inputs_that_contradict_each_other_turn_the_answer(
    predictor: Predictor, trained: Path
) -> None:
    folder = trained.parent.parent
    rows = [r for r in read_rows(folder) if r["file_name"] and r["text"] and r["audio"]]
    bar = next(r for r in rows if "straight" in r["text"])
    dot = next(r for r in rows if "round" in r["text"])
    sample = {"image": folder / bar["file_name"], "words": dot["text"],
              "sound": folder / dot["audio"]}
    found = explain(predictor, sample)
    whole = [turn for turn in found.turns if not turn.pieces]
    for turn in whole:
        rest = {n: v for n, v in sample.items() if n not in turn.inputs}
        assert predictor.predict(rest).tasks["shape"].label == turn.after.label
    labels = {n: predictor.predict({n: v}).tasks["shape"].label for n, v in sample.items()}
    assert whole or len(set(labels.values())) == 1


def test_that_nothing_turns_an_answer_is_told(predictor: Predictor) -> None:
    found = explain(predictor, {"words": "4"})
    assert found.to_json()["turned_by"] == [t.to_json() for t in found.turns]


@pytest.mark.parametrize(("before", "after", "turned"), [
    (Answer(label="a"), Answer(label="b"), True), (Answer(label="a"), Answer(label="a"), False),
    (Answer(labels=("a", "b")), Answer(labels=("b", "a")), False),
    (Answer(labels=("a",)), Answer(labels=()), True),
    (Answer(value=5.0, usual_error=1.0), Answer(value=6.5), True),
    (Answer(value=5.0, usual_error=1.0), Answer(value=5.5), False),
    (Answer(value=5.0), Answer(value=9.0), False),
])
def test_when_an_answer_is_another_one(before: Answer, after: Answer, turned: bool) -> None:
    assert is_turned(before, after) is turned


def test_it_is_left_off_in_between(predictor: Predictor, sample: dict[str, Any]) -> None:
    asked: list[None] = []

    def third_time() -> bool:
        asked.append(None)
        return len(asked) >= 3

    with pytest.raises(UserError, match="cancelled"):
        list(explaining(predictor, sample, method="occlusion", should_stop=third_time))
    assert len(asked) == 3


def test_kernel_machines_are_explained_by_hiding(tmp_path: Path) -> None:
    """They look at descriptions, through which no gradient comes."""
    project = write_small_project(tmp_path / "project")
    train_small(project, {"training.combine": True, "training.epochs": 2})
    predictor = Predictor(project / "runs" / "first")
    row = read_rows(project)[33]
    sample = {"image": project / row["file_name"], "words": row["text"],
              "sound": project / row["audio"]}
    asked = Asked(predictor, sample)
    shares = {name: asked.unseen_share("shape", name) for name in sample}
    assert all(0 <= share <= 1 for share in shares.values()) and max(shares.values()) > 0.1
    found = explain(predictor, sample)
    for name, one in found.inputs.items():
        assert one.method == ("occlusion" if shares[name] > 0.1 else "integrated_gradients")
        assert np.isfinite(one.weights).all()
    forced = explain(predictor, sample, method="gradients", change=False)
    assert {n: one.unseen for n, one in forced.inputs.items()} == shares


def test_scores_are_those_of_a_calibrated_answer(
    trained: Path, sample: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor = Predictor(trained)
    names = tuple(predictor.inputs)
    monkeypatch.setattr(predictor, "calibration", Calibration(names, {"shape": {
        frozenset(names): SubsetCalibration(9, 3.0),
        frozenset(["words"]): SubsetCalibration(9, 0.5)}}))
    for inputs in (sample, {"words": sample["words"]}):
        told = explain(predictor, inputs, "shape", change=False).answer
        assert dict(told.scores) == pytest.approx(
            dict(predictor.predict(inputs).tasks["shape"].scores), abs=1e-5)
    asked = Asked(predictor, sample)
    there = torch.tensor([[n == "words" for n in names]])
    outputs = asked.outputs["shape"]
    words, whole = (asked.answers("shape", outputs, one)[0].scores for one in (there, None))
    assert max(words.values()) > max(whole.values())
