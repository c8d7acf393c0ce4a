"""Several processes that train together do what one does with the same batches."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from mmstudio.errors import UserError
from mmstudio.training.events import EpochDone, StepDone
from tests.small_project import train_small
from tests.training.distributed.processes import train_together

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="gloo there has other names")

STEADY = {"training.precision": "float32", "training.learning_rate": 1e-3}
"""Adam makes much of the last digits of gradients that are nearly nothing; less at this rate."""
EVERYTHING = {
    **STEADY, "training.epochs": 2, "training.alignment": 1.0,
    "training.balancing": "uncertainty", "training.gradient_modulation": "ogm-ge",
    "training.averaging": 0.2}


def weights(project: Path, run: str) -> dict[str, torch.Tensor]:
    return dict(load_file(project / "runs" / run / "last.safetensors"))


def largest_difference(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    assert one.keys() == other.keys()
    return max(float((one[n].double() - other[n].double()).abs().max()) for n in one)


def losses(events: list[Any]) -> list[float]:
    return [e.loss for e in events if isinstance(e, StepDone)]


def told(events: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [e for e in events if e["event"] == kind]


def alike(one: Any, other: Any) -> None:
    """Figures of an epoch that are the same but for the last digits."""
    for name, value in one.items():
        if isinstance(value, dict):
            alike(value, other[name])
        elif isinstance(value, float):
            assert other[name] == pytest.approx(value, abs=2e-4, nan_ok=True), name


@pytest.mark.slow
def test_two_processes_learn_as_one_does(project: Path) -> None:
    """Dropout, augmentation, batch norm, the inputs' own heads: all at their defaults."""
    jobs = {"many": STEADY | {"training.epochs": 7}, "all": EVERYTHING}
    found = train_together(project, 2, jobs)
    assert found.codes == [0, 0], found.said
    alone = train_small(project, jobs["many"], run="one")
    steps = told(found.events["many"], "step_done")
    assert len(steps) == 21 and [e["step"] for e in steps] == list(range(1, 22))
    assert [e["loss"] for e in steps[:20]] == pytest.approx(losses(alone)[:20], abs=1e-5)
    assert told(found.events["many"], "started")[0]["device"] == "2 × CPU"
    for one, other in zip([e for e in alone if isinstance(e, EpochDone)],
                          told(found.events["many"], "epoch_done"), strict=True):
        alike(one.train, other["train"])
        alike(one.validation, other["validation"])
        alike(one.inputs, other["inputs"])
    files = {p.name for p in (project / "runs/many").iterdir()}
    assert files == {p.name for p in (project / "runs/one").iterdir()}

    alone = train_small(project, EVERYTHING, run="alone")
    steps = told(found.events["all"], "step_done")
    assert [e["loss"] for e in steps] == pytest.approx(losses(alone), abs=1e-5)
    assert largest_difference(weights(project, "all"), weights(project, "alone")) < 1e-3
    one = [e for e in alone if isinstance(e, EpochDone)][-1]
    alike(one.alignment, told(found.events["all"], "epoch_done")[-1]["alignment"])


@pytest.mark.slow
def test_every_process_begins_with_all_that_a_run_has_that_it_starts_from(project: Path) -> None:
    train_small(project, STEADY | {"training.epochs": 3}, run="first")
    changes = STEADY | {"training.epochs": 1, "training.start_from": "runs/first"}
    found = train_together(project, 2, {"many": changes})
    assert found.codes == [0, 0], found.said
    alone = next(e for e in train_small(project, changes, run="one") if isinstance(e, EpochDone))
    # answered with running statistics, which are no weights
    alike(alone.validation, told(found.events["many"], "epoch_done")[0]["validation"])


@pytest.mark.slow
def test_three_processes_take_part_in_a_batch_of_two_rows(project: Path) -> None:
    changes = STEADY | {"training.epochs": 2, "training.batch_size": 20}  # 20, 20 and 2 rows
    found = train_together(project, 3, {"many": changes})
    assert found.codes == [0, 0, 0], found.said
    alone = train_small(project, changes, run="one")
    steps = told(found.events["many"], "step_done")
    assert [e["loss"] for e in steps] == pytest.approx(losses(alone), abs=1e-5)
    assert largest_difference(weights(project, "many"), weights(project, "one")) < 1e-3


@pytest.mark.slow
def test_a_killed_process_ends_the_others_and_the_run_goes_on_from_its_checkpoint(
    project: Path
) -> None:
    changes = STEADY | {"training.epochs": 2}
    found = train_together(project, 2, {"many": changes}, dies_at=4)
    assert found.codes == [1, -9]
    assert time.time() - float((project / "died").read_text(encoding="utf-8")) < 30
    assert "Another process of this training ended" in found.said and "--resume" in found.said
    resumed = train_small(project, changes, run="many", resume=True)
    assert [e.epoch for e in resumed if isinstance(e, EpochDone)] == [2]
    train_small(project, changes, run="one")
    assert largest_difference(weights(project, "many"), weights(project, "one")) < 1e-3


def test_an_error_is_told_by_one_process(project: Path) -> None:
    found = train_together(project, 2, {"many": {"training.batch_size": 1}})
    assert found.codes == [1, 1]
    assert found.said.count("training.batch_size = 1, but 2 processes share a batch") == 1
    assert "Traceback" not in found.said


def test_what_knows_nothing_of_other_processes_is_refused_under_torchrun(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UserError, match="each would train by itself"):
        train_small(project)
    assert not (project / "runs").exists()
