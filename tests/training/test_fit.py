"""The dry step before a training: memory, time, a batch size, and no trace of it."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from mmstudio.data.prepare import Progress
from mmstudio.errors import UserError
from mmstudio.training import fit as fit_module
from mmstudio.training.events import EpochDone
from mmstudio.training.fit import Fit, fit
from tests.frozen_words import FrozenWords, use_frozen_words
from tests.small_project import read_rows, small_experiment, train_small, write_table


def fitted(project: Path, changes: dict[str, Any] | None = None) -> Fit:
    items = list(fit(small_experiment(changes), project))
    assert all(isinstance(i, Progress) for i in items[:-1]) and len(items) > 3
    assert isinstance(items[-1], Fit)
    return items[-1]


def test_it_tells_memory_and_time_and_writes_no_run(project: Path) -> None:
    found = fitted(project)
    assert found.fits and not found.too_large and found.message == found.hint == ""
    assert (found.batch_size, found.steps_per_epoch) == (16, 3)
    # weights, gradients, two means of the optimiser, and some activations
    least = 16 * found.parameters
    assert found.parameters == found.trained > 1000
    assert least < found.memory_bytes < least + 2e8 < found.free_bytes
    assert 0 < found.seconds_per_epoch < 60 and found.encode_seconds == 0
    assert not (project / "runs").exists()


def test_what_is_drawn_at_random_later_is_the_same(project: Path) -> None:
    torch.manual_seed(4)
    before = torch.get_rng_state()
    for _ in fit(small_experiment(), project):
        assert torch.equal(torch.get_rng_state(), before)  # also between its steps
    assert torch.equal(torch.get_rng_state(), before)


def test_memory_grows_with_the_batch_and_with_what_is_trained(project: Path) -> None:
    small, large = (fitted(project, {"training.batch_size": b}) for b in (2, 32))
    assert large.memory_bytes > small.memory_bytes
    wide = fitted(project, {"training.batch_size": 2, "inputs.image.encoder.width": 64})
    assert wide.memory_bytes > small.memory_bytes + 8 * (wide.parameters - small.parameters)


def test_where_memory_is_short_a_smaller_batch_is_proposed(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = fitted(project, {"training.batch_size": 32})
    least = fitted(project, {"training.batch_size": 4})
    between = int((found.memory_bytes + least.memory_bytes) / 2 / fit_module.SAFE)
    monkeypatch.setattr(fit_module, "free_bytes", lambda _: between)
    short = fitted(project, {"training.batch_size": 32})
    assert not short.fits and not short.too_large
    assert short.batch_size in (4, 8, 16) and short.memory_bytes > between * fit_module.SAFE
    assert f"training.batch_size to {short.batch_size}" in short.hint
    assert "of memory" in short.message and "free on cpu" in short.message
    assert short.seconds_per_epoch > 0


def test_what_does_not_fit_at_all_is_told_with_what_to_take_instead(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fit_module, "free_bytes", lambda _: 100_000)
    found = fitted(project)
    assert not found.fits and found.too_large and found.batch_size == 16
    assert "Not even one sample" in found.hint and "frozen" in found.hint
    assert "of memory" in found.message


def test_memory_that_runs_out_in_the_dry_step_is_no_failure(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_frozen_words(monkeypatch)
    monkeypatch.setattr(FrozenWords, "key", None)
    monkeypatch.setattr(FrozenWords, "most_rows", 3)
    changes = {"inputs.words.encoder": {"name": "frozen_words"}}
    found = fitted(project, changes)
    assert not found.fits and not found.too_large and found.batch_size == 2
    monkeypatch.setattr(FrozenWords, "most_rows", 0)
    none = fitted(project, changes)
    assert none.too_large and math.isnan(none.seconds_per_epoch)


def test_the_encoding_is_told_apart_and_only_until_it_is_done(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_frozen_words(monkeypatch)
    changes = {"inputs.words.encoder": {"name": "frozen_words"}, "training.epochs": 1}
    before = fitted(project, changes)
    assert before.encode_seconds > 0
    train_small(project, changes)
    assert fitted(project, changes).encode_seconds == 0


def test_a_training_after_it_is_the_same(project: Path) -> None:
    plain = train_small(project, {"training.epochs": 1}, run="plain")
    fitted(project)
    after = train_small(project, {"training.epochs": 1}, run="after")
    losses = [[e.train["loss"] for e in events if isinstance(e, EpochDone)]
              for events in (plain, after)]
    assert losses[0] == losses[1]


def test_only_a_few_rows_are_read(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mmstudio.modalities.image import ImageModality

    rows = read_rows(project)
    write_table(project / "metadata.csv", rows * 10)
    decoded = []
    plain = ImageModality.decode

    def decode(self: Any, value: Any, spec: Any) -> Any:
        decoded.append(value)
        return plain(self, value, spec)

    monkeypatch.setattr(ImageModality, "decode", decode)
    found = fitted(project)
    assert 0 < len(decoded) <= 32
    assert found.steps_per_epoch == -(-420 // 16)


def test_a_stop_ends_it_without_a_result(project: Path) -> None:
    for most in (1, 3, 5):
        asked = 0

        def should_stop(most: int = most) -> bool:
            nonlocal asked
            asked += 1
            return asked > most

        items = list(fit(small_experiment(), project, should_stop=should_stop))
        assert not [i for i in items if isinstance(i, Fit)]


@pytest.mark.parametrize(("key", "value", "message"), [
    ("data.table", "none.csv", "none.csv"),
    ("inputs.image.encoder.width", 3, "inputs.image.encoder.width = 3"),
])
def test_what_a_training_would_refuse_it_refuses(
    project: Path, key: str, value: Any, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        list(fit(small_experiment({key: value}), project))


def test_its_json_holds_the_words_too() -> None:
    found = Fit(False, 8, 3 * 10**9, 10**9, 2.0)
    data = found.to_json()
    assert data["message"] == (
        "This training needs about 3.0 GB of memory; 1.0 GB are free on cpu.")
    assert "batch_size to 8" in data["hint"]
    assert {f.name for f in dataclasses.fields(Fit)} < set(data)
