"""A run that goes on: whether what it goes by is still so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from mmstudio.training import candidate_weights, scored
from mmstudio.training.best import Score
from mmstudio.training.events import CheckpointSaved, EpochDone
from tests.small_project import read_rows, train_small, write_table

FIRST, SECOND = Score(0.70, 0.5, 0.05), Score(0.72, 0.6, 0.05)
"""The first epoch is the best, and the second may turn out to be it."""


def state_of(project: Path) -> dict[str, Any]:
    state = torch.load(project / "runs/first/state.pt", weights_only=True)
    return dict(state)


def scores(monkeypatch: pytest.MonkeyPatch, *given: Score) -> list[Score]:
    """Have the validations score so; what is left of it."""
    left = list(given)
    monkeypatch.setattr(scored, "score_of", lambda *_: left.pop(0))
    return left


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[n], other[n]) for n in one)


@pytest.mark.parametrize("change", ["gone", "added", "relabelled"])
def test_kept_epochs_are_scored_again_on_other_validation_rows(
    project: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    rows = read_rows(project)
    validation = [r for r in rows if r["split"] == "validation" and r["shape"]]
    if change == "added":
        write_table(project / "metadata.csv", [r for r in rows if r is not validation[0]])
    scores(monkeypatch, FIRST, SECOND)
    train_small(project, {"training.epochs": 2})
    before = state_of(project)
    second = (project / "runs/first/epoch-2.safetensors").read_bytes()
    if change == "gone":
        rows.remove(validation[0])
    elif change == "relabelled":
        validation[0]["shape"] = "dot" if validation[0]["shape"] != "dot" else "bar"
    write_table(project / "metadata.csv", rows)

    left = scores(monkeypatch, Score(0.4, 0.9, 0.05), Score(0.6, 0.8, 0.05))
    events = train_small(project, {"training.epochs": 2}, resume=True)
    assert not left and not [e for e in events if isinstance(e, EpochDone)]
    assert [(e.epoch, e.best) for e in events if isinstance(e, CheckpointSaved)] == [(2, True)]
    assert events[-1].best_epoch == 2
    after = state_of(project)
    assert after["counts"]["best"]["candidates"] == [[2, 0.6, 0.8, 0.05]]
    assert after["counts"]["best"]["highest"] == 0.6
    assert same(after["model"], before["model"])
    assert (project / "runs/first/best.safetensors").read_bytes() == second

    # the next one compares already, and scores nothing
    train_small(project, {"training.epochs": 2}, resume=True)


def test_the_same_rows_are_not_scored_again(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores(monkeypatch, FIRST, SECOND)
    train_small(project, {"training.epochs": 2})
    write_table(project / "metadata.csv", read_rows(project)[::-1])
    train_small(project, {"training.epochs": 2}, resume=True)


def test_scores_made_again_are_those_that_the_epochs_had(project: Path) -> None:
    train_small(project, {"training.epochs": 2})
    path = project / "runs/first/state.pt"
    state = state_of(project)
    best = state["counts"]["best"]
    del state["counts"]["scored_on"]  # as of a version before
    torch.save(state, path)
    train_small(project, {"training.epochs": 2}, resume=True)
    again = state_of(project)["counts"]["best"]
    for one, other in zip(again["candidates"], best["candidates"], strict=True):
        assert one == pytest.approx(other)


def test_a_kill_between_two_writes_leaves_no_other_epoch_in_the_file_of_the_best(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores(monkeypatch, FIRST, SECOND)
    train_small(project, {"training.epochs": 2})
    best = project / "runs/first/best.safetensors"
    due = load_file(best)
    best.unlink()  # it is a second name of the epoch's file
    save_file({n: t + 1 if t.is_floating_point() else t for n, t in due.items()}, best)
    events = train_small(project, {"training.epochs": 2}, resume=True)
    assert events[-1].best_epoch == 1
    assert same(load_file(best), due)


def test_of_a_large_model_only_the_best_epoch_is_kept(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candidate_weights, "MOST_BYTES", 1)
    scores(monkeypatch, FIRST, SECOND, Score(0.76, 0.7, 0.05))
    events = train_small(project, {"training.epochs": 2})
    state = state_of(project)
    assert state["candidates"]["epochs"] == [1]
    assert state["counts"]["best"]["highest"] == 0.72
    assert events[-1].best_epoch == 1
    # the highest figure leaves the first behind, and the second's weights are no more
    assert train_small(project, {"training.epochs": 3}, resume=True)[-1].best_epoch == 3
