"""Watching the inputs: the model learns as without it, and what it tells is right."""

from __future__ import annotations

import math
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from mmstudio.data.batches import Batch, make_batch
from mmstudio.data.prepare import Dataset, prepare
from mmstudio.encoders.base import Features
from mmstudio.training import epoch, ready, step
from mmstudio.training.events import EpochDone, InputsScored, Started, Warned
from mmstudio.training.input_watch import InputWatch
from mmstudio.training.model import build_model, completed
from mmstudio.training.optimise import clip_gradients
from mmstudio.training.run_folder import RunFolder
from tests.mixed_project import train_mixed, write_mixed_project
from tests.small_project import read_rows, small_experiment, start_small, train_small

NAMES = ["image", "words", "sound"]


def of(events: list[Any], kind: type) -> list[Any]:
    return [e for e in events if type(e) is kind]


def unwatched(*_: Any, **__: Any) -> None:
    """In place of the watch."""


def same_weights(one: Path, other: Path) -> bool:
    a, b = load_file(one), load_file(other)
    return list(a) == list(b) and all(torch.equal(a[n], b[n]) for n in a)


def test_heads_that_only_watch_change_nothing_of_what_is_learnt(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = {"training.epochs": 3, "training.input_loss": 0.0}
    watched = train_small(project, few, run="watched")
    monkeypatch.setattr(step, "InputWatch", unwatched)
    alone = train_small(project, few, run="alone")
    runs = project / "runs"
    for name in ("best.safetensors", "last.safetensors"):
        assert same_weights(runs / "watched" / name, runs / "alone" / name)
    assert [e.train["loss"] for e in of(watched, EpochDone)] == [
        e.train["loss"] for e in of(alone, EpochDone)]
    assert of(alone, InputsScored) == []


def test_every_epoch_tells_each_inputs_loss_and_share(project: Path) -> None:
    events = train_small(project, {"training.epochs": 12})
    told = [e.inputs for e in of(events, EpochDone)]
    for inputs in told:
        assert list(inputs) == NAMES
        assert sum(i["gradient_share"] for i in inputs.values()) == pytest.approx(1.0, abs=1e-5)
        assert all(0 < i["gradient_share"] < 1 and set(i) == {"loss", "gradient_share"}
                   for i in inputs.values())
    # every input tells the shape, so its own heads get better by looking at it alone
    for name in NAMES:
        assert told[-1][name]["loss"] < 0.8 * told[0][name]["loss"]


def test_a_loss_of_its_own_reaches_the_encoders_and_teaches_each_input(project: Path) -> None:
    many = {"training.epochs": 8, "training.input_loss": 0.0}
    alone = train_small(project, many, run="alone")
    joined = train_small(project, many | {"training.input_loss": 1.0}, run="joined")
    runs = project / "runs"
    assert not same_weights(runs / "alone" / "last.safetensors",
                            runs / "joined" / "last.safetensors")
    last = [of(events, EpochDone)[-1].inputs for events in (alone, joined)]
    assert sum(i["loss"] for i in last[1].values()) < sum(i["loss"] for i in last[0].values())
    # what is told of the answer itself stays comparable: the own losses are not in it
    assert of(joined, EpochDone)[0].train["loss"] < 1.3 * of(alone, EpochDone)[0].train["loss"]


def test_only_rows_that_have_the_input_and_a_known_label_count(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[torch.Tensor] = []
    plain = InputWatch.figures

    def figures(self: InputWatch) -> Any:
        found = plain(self)
        counted.append(self._rows.clone())
        return found

    monkeypatch.setattr(InputWatch, "figures", figures)
    train_small(project, {"training.epochs": 1, "training.modality_dropout": 0.0})
    rows = [r for r in read_rows(project) if r["split"] == "train"]
    columns = ("file_name", "text", "audio")
    expected = [[sum(bool(r[c]) and bool(r[t]) for r in rows) for t in ("shape", "size")]
                for c in columns]
    assert counted[0].tolist() == expected


def test_an_input_that_is_always_hidden_learns_on_its_own_only(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_sound(present: torch.Tensor, *_: Any) -> torch.Tensor:
        return torch.tensor([True, True, False]).expand_as(present)

    monkeypatch.setattr(epoch, "kept_inputs", without_sound)
    alone, joined = (
        of(train_small(project, {"training.epochs": 8, "training.input_loss": weight},
                       run=f"with {weight}"), EpochDone)[-1].inputs for weight in (0.0, 1.0))
    assert alone["sound"]["gradient_share"] == 0 < joined["sound"]["gradient_share"]
    for told in (alone, joined):
        assert math.isfinite(told["sound"]["loss"])
        assert sum(i["gradient_share"] for i in told.values()) == pytest.approx(1.0)


def test_an_input_that_tells_nothing_gets_no_loss_of_its_own(project: Path) -> None:
    """Its heads would learn the training rows by heart, and their gradient drown the others'."""
    experiment = completed(small_experiment({"training.input_loss": 1.0}))
    dataset = next(d for d in prepare(experiment, project) if isinstance(d, Dataset))
    torch.manual_seed(0)
    model = build_model(experiment, dataset.schema)
    watch = InputWatch(experiment, dataset.schema, model, 10)
    kinds = torch.randint(0, 2, (64,), generator=torch.Generator().manual_seed(1))
    batch = Batch({}, {"shape": kinds, "size": kinds},
                  {n: torch.ones(64, dtype=torch.bool) for n in ("shape", "size")})
    present = torch.ones(64, 3, dtype=torch.bool)
    telling = nn.functional.one_hot(kinds, model.encoders[0].width).float()  # type: ignore[arg-type]
    reached = []
    for number in range(60):
        tokens = [torch.randn(64, e.width) for e in model.encoders]  # type: ignore[arg-type]
        tokens[0] = tokens[0] + 3 * telling
        leaves = [t.requires_grad_() for t in tokens]
        watch.begin_step(1e-2)
        loss = watch.observe(
            [Features(t.unsqueeze(1), torch.ones(64, 1, dtype=torch.bool)) for t in leaves],
            present, batch)
        assert loss is not None
        loss.backward()
        watch.end_step()
        watch.after_backward(torch.amp.GradScaler("cpu", enabled=False))
        reached.append([t.grad.norm().item() for t in leaves if t.grad is not None])
        assert number or reached == [[0.0, 0.0, 0.0]]  # nobody knows yet
    assert watch.told[0] > 0.5 and (watch.told[1:] < 0.03).all()
    assert reached[-1][0] > 0 and reached[-1][1:] == [0.0, 0.0]


def test_a_target_that_is_weighed_down_drives_no_encoder_from_its_own_heads(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At 1 % in the loss, a target is at 1 % in the inputs' own losses too."""
    experiment = completed(small_experiment({
        "training.input_loss": 1.0, "training.balancing": "uncertainty"}))
    dataset = next(d for d in prepare(experiment, project) if isinstance(d, Dataset))
    joined = {}
    for low in (0.0, math.log(100)):
        torch.manual_seed(0)
        model = build_model(experiment, dataset.schema)
        with torch.no_grad():
            model.balancing.log_variances.copy_(torch.tensor([0.0, low]))  # type: ignore[operator]
        run = step.make_run(experiment, dataset, model, torch.device("cpu"), torch.float32, 10)
        assert run.watch is not None
        parts: dict[str, Any] = {}
        plain_losses, plain = run.watch._losses, run.watch.observe

        def losses(*args: Any, _to: Any = parts, _plain: Any = plain_losses) -> Any:
            found = _plain(*args)
            _to["losses"] = found[0].detach()
            return found

        def observe(*args: Any, _to: Any = parts, _plain: Any = plain) -> Any:
            _to["own"] = _plain(*args)
            return _to["own"]

        monkeypatch.setattr(run.watch, "_losses", losses)
        monkeypatch.setattr(run.watch, "observe", observe)
        rows = dataset.rows("train")[:16]
        batch = make_batch(dataset, model.modalities, rows)
        step.gradients_of(run, batch, None, None, [slice(0, 16)])
        shape, size = parts["losses"].sum(dim=0)
        weight = math.exp(-low)
        assert parts["own"].item() == pytest.approx((shape + 0.5 * weight * size).item())
        joined[low] = parts["own"].item()
        assert model.balancing.log_variances.grad is not None  # type: ignore[union-attr]
    assert joined[math.log(100)] < joined[0.0]


def test_shares_are_the_norms_of_the_encoders_gradients(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_hand: list[torch.Tensor] = []
    held: dict[str, Any] = {}
    original, plain = ready.build_model, clip_gradients

    def build(*args: Any) -> Any:
        held["model"] = original(*args)
        return held["model"]

    def clip(parameters: Any, largest: float) -> Any:
        norms = [sum((p.grad ** 2).sum() for p in e.parameters() if p.grad is not None) ** 0.5
                 for e in held["model"].encoders]
        by_hand.append(torch.tensor([float(n) for n in norms]))
        return plain(parameters, largest)

    monkeypatch.setattr(ready, "build_model", build)
    monkeypatch.setattr(step, "clip_gradients", clip)
    told = of(train_small(project, {"training.epochs": 1}), EpochDone)[0].inputs
    expected = torch.stack([n / n.sum() for n in by_hand]).mean(dim=0)
    assert [told[n]["gradient_share"] for n in NAMES] == pytest.approx(expected.tolist(), rel=1e-4)


def test_a_single_input_is_not_watched(project: Path) -> None:
    events = train_small(project, {"training.epochs": 1, "inputs.image.use": False,
                                   "inputs.sound.use": False})
    assert of(events, EpochDone)[0].inputs == {}
    assert of(events, InputsScored) == []


@pytest.mark.parametrize("changes", [
    {"training.input_loss": 0.0},
    {"training.input_loss": 0.5, "training.gradient_modulation": "ogm-ge"}])
def test_a_resumed_run_goes_on_as_if_never_stopped(
    project: Path, changes: dict[str, Any]
) -> None:
    """Also with heads that take part, and with noise: both are kept, or drawn by the epoch."""
    four = {"training.epochs": 4} | changes
    whole = train_small(project, four, run="whole")

    second = threading.Event()
    for event in start_small(project, four, run="parts", should_stop=second.is_set):
        if isinstance(event, EpochDone) and event.epoch == 2:
            second.set()
    again = train_small(project, four, run="parts", resume=True)
    assert of(again, Started)[0].first_epoch == 3
    runs = project / "runs"
    assert same_weights(runs / "whole" / "last.safetensors", runs / "parts" / "last.safetensors")
    one, other = (RunFolder(runs / n).history() for n in ("whole", "parts"))
    assert one.input_loss == other.input_loss
    assert one.gradient_share == other.gradient_share
    assert one.inputs_scored == other.inputs_scored is not None
    assert of(whole, InputsScored)[0] == one.inputs_scored


def test_a_run_from_before_inputs_were_watched_goes_on(project: Path) -> None:
    train_small(project, {"training.epochs": 1})
    run = RunFolder(project / "runs" / "first")
    state = torch.load(run.state, weights_only=True)
    del state["watch"], state["counts"]["log_bytes"], state["counts"]["told"]
    torch.save(state, run.state)
    lines = [line for line in run.log.read_text().splitlines() if "inputs_scored" not in line]
    run.log.write_text("\n".join(lines).replace('"inputs": {"image"', '"was": {"image"') + "\n")
    events = train_small(project, {"training.epochs": 2}, resume=True)
    assert list(of(events, EpochDone)[0].inputs) == NAMES
    history = run.history()
    assert [math.isnan(v) for v in history.input_loss["image"]] == [True, False]


def test_the_dropout_of_one_input_hides_that_one_only(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden: list[torch.Tensor] = []
    plain = epoch.kept_inputs

    def kept(present: torch.Tensor, chance: Any, generator: torch.Generator) -> Any:
        keep = plain(present, chance, generator)
        hidden.append(~keep)
        return keep

    monkeypatch.setattr(epoch, "kept_inputs", kept)
    train_small(project, {"training.epochs": 4, "training.modality_dropout": 0.0,
                          "inputs.words.modality_dropout": 0.8})
    shares = torch.cat(hidden).float().mean(dim=0).tolist()
    assert shares[0] == shares[2] == 0.0
    assert 0.6 < shares[1] < 0.9


def test_every_kind_of_target_is_watched_and_modulated(tmp_path: Path) -> None:
    project = write_mixed_project(tmp_path / "project")
    events = train_mixed(project, {"training.epochs": 2, "training.input_loss": 0.3,
                                   "training.gradient_modulation": "ogm"})
    for done in of(events, EpochDone):
        assert all(math.isfinite(v) for i in done.inputs.values() for v in i.values())
    assert of(events, Warned) == []
