"""What the inputs are worth: figures of subsets and mean contributions, against the Predictor."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from itertools import chain, combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mmstudio.data.prepare import Dataset, prepare
from mmstudio.encoders import ENCODERS
from mmstudio.errors import UserError
from mmstudio.training import input_scores
from mmstudio.training.checkpoint import load_weights
from mmstudio.training.events import InputsScored, RunFinished, Warned
from mmstudio.training.input_scores import reported_subsets, score_inputs
from mmstudio.training.model import MultimodalModel, build_model, completed
from tests.mixed_project import mixed_experiment, train_mixed, write_mixed_project
from tests.small_project import read_rows, start_small, train_small, write_small_project

CPU = torch.device("cpu")
NAMES = ["image", "words", "sound"]
COLUMNS = {"image": "file_name", "words": "text", "sound": "audio"}


def of(events: list[Any], kind: type) -> list[Any]:
    return [e for e in events if type(e) is kind]


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, InputsScored]:
    """A project with every kind of target, trained, and what its run told of the inputs."""
    project = write_mixed_project(tmp_path_factory.mktemp("mixed") / "project")
    events = train_mixed(project, {"training.epochs": 4})
    assert type(events[-1]) is RunFinished and type(events[-2]) is InputsScored
    return project, events[-2]


@pytest.fixture(scope="module")
def loaded(mixed: tuple[Path, InputsScored]) -> tuple[MultimodalModel, Dataset]:
    folder, _ = mixed
    experiment = completed(mixed_experiment())
    dataset = next(d for d in prepare(experiment, folder) if isinstance(d, Dataset))
    model = build_model(experiment, dataset.schema)
    load_weights(model, folder / "runs" / "first" / "best.safetensors", CPU)
    return model, dataset


@pytest.mark.parametrize(("count", "told"), [(2, 3), (3, 7), (4, 15), (5, 11), (6, 13)])
def test_all_subsets_up_to_four_inputs_and_single_ones_and_leave_one_outs_beyond(
    count: int, told: int
) -> None:
    subsets = reported_subsets(count)
    sizes = subsets.sum(axis=1).tolist()
    assert len(subsets) == len({tuple(s) for s in subsets.tolist()}) == told
    assert sizes[0] == count and sizes == sorted(sizes, reverse=True)
    assert sizes.count(1) == count and (count == 2 or sizes.count(count - 1) == count)
    assert 0 not in sizes


def test_every_subset_has_the_figures_of_predictions_from_it(
    mixed: tuple[Path, InputsScored]
) -> None:
    from mmstudio.inference.predictor import Predictor

    folder, scored = mixed
    predictor = Predictor(folder / "runs" / "first")
    # whoever chooses inputs by these must not choose them by the test rows
    rows = [r for r in read_rows(folder) if r["split"] == "validation"]
    assert (scored.split, scored.samples) == ("validation", len(rows))
    subsets = [list(s) for n in (3, 2, 1) for s in combinations(NAMES, n)]
    assert sorted(map(tuple, (s["inputs"] for s in scored.subsets))) == sorted(map(tuple, subsets))
    for told in scored.subsets:
        some = [r for r in rows if any(r[COLUMNS[n]] for n in told["inputs"])]
        assert told["samples"] == len(some)
        hits, errors = [], []
        for row in some:
            given = {n: None if not row[COLUMNS[n]] else row["text"] if n == "words"
                     else folder / row[COLUMNS[n]] for n in told["inputs"]}
            answer = predictor.predict(given).tasks
            hits.append(answer["shape"].label == row["shape"])
            if row["area"]:
                errors.append(abs((answer["area"].value or 0.0) - float(row["area"])))
        tasks = told["tasks"]
        assert tasks["shape"]["accuracy"] == pytest.approx(np.mean(hits))
        assert tasks["area"]["mean_absolute_error"] == pytest.approx(np.mean(errors), rel=1e-4)


def test_mean_contributions_are_those_of_the_predictions(mixed: tuple[Path, InputsScored]) -> None:
    from mmstudio.inference.predictor import Predictor

    folder, scored = mixed
    predictor = Predictor(folder / "runs" / "first")
    found: dict[str, dict[str, list[float]]] = {}
    together: dict[tuple[str, str, str], list[float]] = {}
    for row in read_rows(folder):
        if row["split"] != "validation":
            continue
        told = predictor.predict({
            n: None if not row[c] else row["text"] if n == "words" else folder / row[c]
            for n, c in COLUMNS.items()}).contributions
        for task, one in told.items():
            for name, value in one.inputs.items():
                found.setdefault(task, {}).setdefault(name, []).append(value)
            for two, value in one.pairs.items():
                together.setdefault((task, *two), []).append(value)
    for task, inputs in scored.contributions.items():
        for name, means in inputs.items():
            values = found[task][name]
            assert means["samples"] == len(values)
            assert means["mean"] == pytest.approx(np.mean(values), abs=1e-3, rel=1e-4)
            assert means["mean_absolute"] == pytest.approx(np.abs(values).mean(), rel=1e-3)
        for pair in scored.interactions[task]:
            values = together[(task, *pair["inputs"])]
            assert pair["samples"] == len(values)
            assert pair["mean"] == pytest.approx(np.mean(values), abs=2e-3, rel=1e-3)


def test_each_input_is_encoded_once_per_batch(
    loaded: tuple[MultimodalModel, Dataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, dataset = loaded
    calls: list[str] = []
    hooks = [e.register_forward_pre_hook(lambda m, _: calls.append(type(m).__name__))
             for e in model.encoders]
    score_inputs(model, dataset, dataset.rows("test"), CPU, dict.fromkeys(model.task_names, 1.0))
    for hook in hooks:
        hook.remove()
    assert sorted(calls) == sorted(
        ENCODERS.get(n).__name__ for n in ("cnn", "rnn", "crnn"))


def test_enough_takes_the_rows_until_then(
    loaded: tuple[MultimodalModel, Dataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, dataset = loaded
    monkeypatch.setattr(input_scores, "BATCH_SIZE", 10)
    rows = dataset.rows("train")
    weights = dict.fromkeys(model.task_names, 1.0)
    asked: Iterator[bool] = iter([False, True])
    some = score_inputs(model, dataset, rows, CPU, weights, lambda: next(asked))
    assert some.samples == 20
    whole = score_inputs(model, dataset, rows, CPU, weights)
    assert whole.samples == len(rows)
    assert whole.contributions["shape"]["image"]["samples"] > 20


def test_what_memory_does_not_hold_is_left_out_and_told(
    loaded: tuple[MultimodalModel, Dataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, dataset = loaded
    width = 3 + 2 + 2 + 1  # the outputs of all targets: shapes, sizes, tags, the area
    monkeypatch.setattr(input_scores, "MOST_NUMBERS", 7 * width * 5)
    found = score_inputs(model, dataset, dataset.rows("train"), CPU,
                         dict.fromkeys(model.task_names, 1.0))
    assert found.samples == 5


def test_the_model_stays_in_its_mode(loaded: tuple[MultimodalModel, Dataset]) -> None:
    model, dataset = loaded
    for training in (True, False):
        model.train(training)
        score_inputs(model, dataset, dataset.rows("test"), CPU,
                     dict.fromkeys(model.task_names, 1.0))
        assert model.training is training


def test_a_stopped_run_scores_what_there_is_time_for(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mmstudio.training import epoch_loop
    from mmstudio.training.events import EpochDone

    monkeypatch.setattr(epoch_loop, "STOPPED_SCORING_S", 0.0)
    monkeypatch.setattr(input_scores, "BATCH_SIZE", 4)
    first, events = threading.Event(), []
    for event in start_small(project, {"training.epochs": 20}, should_stop=first.is_set):
        events.append(event)
        if isinstance(event, EpochDone):
            first.set()
            began = time.perf_counter()
    assert events[-1].reason == "stopped"
    assert of(events, InputsScored)[0].samples == 4
    assert time.perf_counter() - began < 5


def test_without_a_test_split_the_validation_rows_are_looked_at(tmp_path: Path) -> None:
    from tests.small_project import write_table

    project = write_small_project(tmp_path / "project")
    write_table(project / "metadata.csv",
                [r for r in read_rows(project) if r["split"] != "test"])
    scored = of(train_small(project, {"training.epochs": 1}), InputsScored)[0]
    assert (scored.split, scored.samples) == ("validation", 9)


@pytest.mark.parametrize("error", [RuntimeError("no memory"), UserError("no file", "mend it")])
def test_a_failure_here_never_fails_the_run(
    project: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(input_scores, "score_inputs", fail)
    events = train_small(project, {"training.epochs": 1})
    assert events[-1].reason == "completed"
    told = of(events, Warned)[-1]
    assert str(error).split(" ")[1] in told.message and "--inputs" in told.hint


def test_the_best_weights_are_scored(project: Path) -> None:
    """A stop within an epoch leaves a model that has moved on from the best one."""
    from mmstudio.inference.evaluate import evaluate

    log, calls = project / "runs" / "first" / "events.jsonl", 0

    def should_stop() -> bool:
        nonlocal calls
        calls += log.is_file() and '"epoch_done"' in log.read_text(encoding="utf-8")
        return calls > 2

    events = train_small(project, {"training.epochs": 30}, should_stop=should_stop)
    scored = of(events, InputsScored)[0]
    *_, result = evaluate(project / "runs" / "first", "validation")
    assert scored.subsets[0]["tasks"]["shape"] == pytest.approx(result.tasks["shape"], rel=1e-4)
    assert list(chain.from_iterable(scored.contributions.values())) == NAMES * 2
