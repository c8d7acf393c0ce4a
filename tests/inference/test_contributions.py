"""Contributions of single predictions: they add up, and are Shapley's by subsets of predictions."""

from __future__ import annotations

import math
from itertools import combinations, permutations
from pathlib import Path

import pytest

from mmstudio.inference.predictor import Predictor
from tests.mixed_project import train_mixed, write_mixed_project
from tests.small_project import read_rows

NAMES = ("image", "words", "sound")
TASKS = ("shape", "size", "tags", "area")


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    folder = write_mixed_project(tmp_path_factory.mktemp("mixed") / "project")
    train_mixed(folder, {"training.epochs": 5})
    return Predictor(folder / "runs" / "first")


@pytest.fixture(scope="module")
def sample(predictor: Predictor) -> dict[str, str | Path | None]:
    folder = predictor.run.path.parent.parent
    row = read_rows(folder)[33]
    return {"image": folder / row["file_name"], "words": row["text"],
            "sound": folder / row["audio"]}


def value(predictor: Predictor, sample: dict[str, str | Path | None], use: tuple[str, ...],
          task: str, of: tuple[str, ...]) -> float:
    """What the model, given these inputs alone, says for an answer, from what it shows."""
    answer = predictor.predict({n: sample[n] for n in use}).tasks[task]
    if answer.value is not None:
        return answer.value
    return sum(math.log(answer.scores[label] / (1 - answer.scores[label])) for label in of)


@pytest.mark.parametrize("use", [u for n in range(4) for u in combinations(NAMES, n)],
                         ids=lambda u: "+".join(u) or "none")
def test_they_add_up_to_the_prediction_minus_the_one_from_nothing(
    predictor: Predictor, sample: dict[str, str | Path | None], use: tuple[str, ...]
) -> None:
    prediction = predictor.predict(sample, use=use)
    assert tuple(prediction.contributions) == TASKS
    for task, told in prediction.contributions.items():
        assert tuple(told.inputs) == use
        rest = told.everything - told.nothing
        assert sum(told.inputs.values()) == pytest.approx(rest, abs=1e-9)
        whole = value(predictor, sample, use, task, told.of)
        nothing = value(predictor, sample, (), task, told.of)
        size = max(1.0, abs(whole), abs(nothing))  # float32's own steps grow with the numbers
        assert sum(told.inputs.values()) == pytest.approx(whole - nothing, abs=1e-5 * size)
        assert told.everything == pytest.approx(whole, abs=1e-5 * size)


@pytest.mark.parametrize("task", TASKS)
def test_they_are_the_mean_over_all_orders_of_what_each_input_adds(
    predictor: Predictor, sample: dict[str, str | Path | None], task: str
) -> None:
    told = predictor.predict(sample).contributions[task]
    values = {frozenset(use): value(predictor, sample, use, task, told.of)
              for n in range(4) for use in combinations(NAMES, n)}
    for name in NAMES:
        added = []
        for order in permutations(NAMES):
            before = frozenset(order[:order.index(name)])
            added.append(values[before | {name}] - values[before])
        assert told.inputs[name] == pytest.approx(sum(added) / 6, rel=1e-3, abs=1e-3)
    for (one, other), found in told.pairs.items():
        (third,) = set(NAMES) - {one, other}
        expected = sum(
            values[s | {one, other}] - values[s | {one}] - values[s | {other}] + values[s]
            for s in (frozenset(), frozenset({third}))) / 2
        assert found == pytest.approx(expected, rel=1e-3, abs=1e-3)


def test_they_say_what_they_explain(
    predictor: Predictor, sample: dict[str, str | Path | None]
) -> None:
    prediction = predictor.predict(sample)
    told = prediction.contributions
    assert told["shape"].of == (prediction.tasks["shape"].label,)
    tags = prediction.tasks["tags"]
    assert told["tags"].of == (tags.labels or tuple(tags.scores)[:1])
    assert (told["area"].of, told["area"].unit) == ((), "cm²")
    assert {told[t].unit for t in ("shape", "size", "tags")} == {"log-odds"}
    data = prediction.to_json()["contributions"]["shape"]
    assert data["inputs"] == told["shape"].inputs
    assert [p["inputs"] for p in data["interactions"]] == [list(p) for p in combinations(NAMES, 2)]


def test_an_input_that_is_switched_off_adds_nothing_and_is_not_told(
    predictor: Predictor, sample: dict[str, str | Path | None]
) -> None:
    off = predictor.predict(sample, use=("image", "sound"))
    absent = predictor.predict({n: sample[n] for n in ("image", "sound")})
    assert off.contributions == absent.contributions
    assert list(off.contributions["shape"].inputs) == ["image", "sound"]


def test_the_answer_is_the_one_that_is_explained(
    predictor: Predictor, sample: dict[str, str | Path | None]
) -> None:
    prediction = predictor.predict(sample)
    scores = prediction.tasks["shape"].scores
    label = prediction.tasks["shape"].label or ""
    odds = math.log(scores[label] / (1 - scores[label]))
    assert prediction.contributions["shape"].everything == pytest.approx(odds, abs=1e-9)
