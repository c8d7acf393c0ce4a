"""Training as a whole: its events, what it learns, what it writes, how it fails."""

from __future__ import annotations

import json
import math
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from mmstudio.data.alike import lengths_of
from mmstudio.data.prepare import Dataset, prepare
from mmstudio.errors import UserError
from mmstudio.experiment import Experiment
from mmstudio.experiment_settings import TrainingSettings
from mmstudio.training import loop, scored
from mmstudio.training.best import Best, Score
from mmstudio.training.events import (
    CheckpointSaved,
    EpochDone,
    InputsScored,
    Preparing,
    RunFinished,
    Started,
    StepDone,
    Warned,
)
from mmstudio.training.model import build_model
from mmstudio.training.run_folder import RunFolder
from mmstudio.training.validate import outputs_of
from tests.small_project import (
    read_rows,
    small_experiment,
    start_small,
    train_small,
    write_table,
)


def of(events: list[Any], kind: type) -> list[Any]:
    return [e for e in events if type(e) is kind]


def same_weights(one: Path, other: Path) -> bool:
    a, b = load_file(one), load_file(other)
    return list(a) == list(b) and all(torch.equal(a[n], b[n]) for n in a)


def test_events_come_in_their_order(project: Path) -> None:
    events = train_small(project, {"training.epochs": 2})
    kinds = [type(e) for e in events]
    preparing = kinds.count(Preparing)
    assert preparing > 0
    assert kinds[preparing:] == [
        Started, *[StepDone] * 3, EpochDone, CheckpointSaved, *[StepDone] * 3, EpochDone,
        CheckpointSaved, InputsScored, RunFinished]
    started, finished = of(events, Started)[0], events[-1]
    assert started.run == finished.run == "runs/first"
    assert (started.epochs, started.steps_per_epoch, started.first_epoch) == (2, 3, 1)
    assert started.samples == {"train": 42, "validation": 9, "test": 9}
    assert started.inputs == ["image", "words", "sound"]
    assert started.tasks == {"shape": "accuracy", "size": "accuracy"}
    assert started.device == "CPU"
    assert started.precision in ("float32", "bfloat16")
    assert started.parameters > 1000
    assert [(e.epoch, e.step) for e in of(events, StepDone)] == [
        (1, 1), (1, 2), (1, 3), (2, 4), (2, 5), (2, 6)]
    for done in of(events, EpochDone):
        for figures in (done.train, done.validation):
            assert set(figures) == {"loss", "shape", "size"}
            assert {"loss", "accuracy", "macro_f1"} <= set(figures["shape"])
        assert done.seconds > 0 and done.samples_per_s > 0 and done.memory_bytes > 0
    weighted = done.validation["shape"]["loss"] + 0.5 * done.validation["size"]["loss"]
    assert done.validation["loss"] == pytest.approx(weighted)
    assert of(events, EpochDone)[-1].remaining_s == 0
    assert (finished.reason, finished.epochs) == ("completed", 2)


@pytest.mark.parametrize(("rows", "epochs"), [
    (2, 100), (640, 100), (1600, 80), (3200, 40), (1_000_000, 40)])
def test_few_rows_get_more_epochs(rows: int, epochs: int) -> None:
    assert TrainingSettings(batch_size=64).epochs_for(rows) == epochs
    assert TrainingSettings(epochs=7).epochs_for(rows) == 7


def test_an_automatic_number_of_epochs_stands_in_the_run(project: Path) -> None:
    training = start_small(project, {"training.epochs": 0})
    started = next(event for event in training if isinstance(event, Started))
    training.close()
    assert started.epochs == 100
    assert RunFolder(project / "runs" / "first").experiment().training.epochs == 100


def usual_loss(project: Path, target: str) -> float:
    """Of answering each validation row with the shares of the training rows."""
    rows = [r for r in read_rows(project) if r[target] and (
        r["file_name"] or r["text"] or r["audio"])]
    labels = [r[target] for r in rows if r["split"] == "train"]
    asked = [r[target] for r in rows if r["split"] == "validation"]
    return float(-np.mean([math.log(labels.count(a) / len(labels)) for a in asked]))


def test_the_best_epoch_is_the_best_by_its_validation(project: Path) -> None:
    events = train_small(project, {"training.epochs": 8})
    best, taken = Best(), []
    usual = {name: usual_loss(project, name) for name in ("shape", "size")}
    for done in of(events, EpochDone):
        figures = [done.validation[n]["accuracy"] for n in ("shape", "size")]
        chance = np.mean([math.sqrt(f * (1 - f) / 9) for f in figures])
        loss = np.mean([min(1.0, done.validation[n]["loss"] / usual[n]) for n in usual])
        score = Score(float(np.mean(figures)), float(loss), float(chance))
        taken.append(best.take(done.epoch, score))
    assert [e.best for e in of(events, CheckpointSaved)] == taken
    assert events[-1].best_epoch == best.epoch


def test_it_learns(project: Path) -> None:
    events = train_small(project, {"training.epochs": 20})
    last = of(events, EpochDone)[-1]
    assert last.validation["shape"]["accuracy"] >= 8 / 9
    assert last.validation["size"]["accuracy"] >= 8 / 9
    assert last.train["loss"] < of(events, EpochDone)[0].train["loss"] / 2


def candidates_of(run: RunFolder) -> list[int]:
    """The epochs that may be the best, as the state names them."""
    found: list[int] = torch.load(run.state, weights_only=True)["candidates"]["epochs"]
    return found


def test_the_run_folder_holds_all_that_is_known(project: Path) -> None:
    events = train_small(project, {"training.epochs": 2})
    run = RunFolder(project / "runs" / "first")
    assert {p.name for p in run.path.iterdir()} == {
        "experiment.toml", "schema.json", "events.jsonl", "best.safetensors",
        "last.safetensors", "state.pt", "rows.bin", "environment.json", "summary.json",
        "identity.txt"} | {
        f"epoch-{epoch}.safetensors" for epoch in {2, *candidates_of(run)}}
    assert run.has_model()
    assert list(run.events()) == [e for e in events if not isinstance(e, Preparing)]
    experiment = run.experiment()
    assert experiment.training.epochs == 2
    assert "masking" in experiment.inputs["sound"].encoder.options
    assert run.schema().targets["size"]["classes"] == ["big", "small"]


def test_the_same_seed_gives_the_same_weights_and_another_one_others(project: Path) -> None:
    runs = project / "runs"
    few = {"training.epochs": 2}
    train_small(project, few, run="a")
    torch.manual_seed(99)  # what the process did before must not matter
    train_small(project, few, run="b")
    train_small(project, few | {"training.seed": 1}, run="c")
    for name in ("best.safetensors", "last.safetensors"):
        assert (runs / "a" / name).read_bytes() == (runs / "b" / name).read_bytes()
        assert not same_weights(runs / "a" / name, runs / "c" / name)
    assert (runs / "a" / "schema.json").read_text() == (runs / "b" / "schema.json").read_text()


@pytest.mark.parametrize("asked", [1, 5, 9, 30])
def test_a_stop_at_any_point_keeps_usable_weights(project: Path, asked: int) -> None:
    calls = 0

    def should_stop() -> bool:
        nonlocal calls
        calls += 1
        return calls > asked

    from mmstudio.inference.predictor import Predictor

    events = train_small(project, {"training.epochs": 20}, should_stop=should_stop)
    assert isinstance(events[-1], RunFinished)
    assert events[-1].reason == "stopped"
    assert events[-1].epochs == len(of(events, EpochDone))
    run = RunFolder(project / "runs" / "first")
    if of(events, Started):
        assert set(load_file(run.best)) == set(load_file(run.last))
        assert Predictor(run.path).predict({"words": "round"}).tasks["shape"].label
    else:
        assert not run.has_model()


@pytest.mark.parametrize("steps", [0, 1, 4, 7])
def test_a_stopped_run_goes_on_as_if_never_stopped(project: Path, steps: int) -> None:
    runs = project / "runs"
    train_small(project, run="whole")
    done = 0

    def should_stop() -> bool:
        return done >= steps

    events = start_small(project, run="parts", should_stop=should_stop)
    for event in events:
        done += isinstance(event, StepDone)
    resumed = train_small(project, run="parts", resume=True)
    assert of(resumed, Started)[0].first_epoch == max(0, steps - 1) // 3 + 1
    for name in ("best.safetensors", "last.safetensors"):
        assert same_weights(runs / "whole" / name, runs / "parts" / name)
    whole, parts = RunFolder(runs / "whole").history(), RunFolder(runs / "parts").history()
    assert whole.step_loss == parts.step_loss
    assert whole.validation_loss == parts.validation_loss
    assert whole.metrics == parts.metrics
    assert whole.best_epoch == parts.best_epoch


@pytest.mark.parametrize("steps", [1, 5])
def test_a_killed_run_goes_on(project: Path, steps: int) -> None:
    runs = project / "runs"
    before = threading.active_count()
    events = start_small(project, run="killed")
    seen = 0
    while seen < steps:
        seen += isinstance(next(events), StepDone)
    events.close()  # type: ignore[attr-defined]
    assert threading.active_count() <= before
    train_small(project, run="killed", resume=True)
    train_small(project, run="whole")
    assert same_weights(runs / "whole" / "last.safetensors", runs / "killed" / "last.safetensors")


def test_a_run_killed_while_data_was_read_goes_on(project: Path) -> None:
    stopped = train_small(project, should_stop=lambda: True)
    assert stopped[-1].reason == "stopped"
    assert train_small(project, resume=True)[-1].reason == "completed"


def test_a_stop_while_a_resumed_run_reads_its_data_forgets_nothing(project: Path) -> None:
    train_small(project, {"training.epochs": 2})
    run = RunFolder(project / "runs" / "first")
    best, log = run.history().best_epoch, run.log.read_bytes()
    events = train_small(project, {"training.epochs": 5}, resume=True, should_stop=lambda: True)
    assert events[-1].reason == "stopped"
    assert run.history().best_epoch == best
    assert run.log.read_bytes() == log  # it is as complete as it was
    assert train_small(project, {"training.epochs": 3}, resume=True)[-1].epochs == 3


@pytest.mark.parametrize("left", ["best.safetensors", "events.jsonl"])
def test_a_resume_without_its_state_never_begins_anew_over_a_model(
    project: Path, left: str
) -> None:
    train_small(project, {"training.epochs": 1})
    run = project / "runs" / "first"
    for name in {"best.safetensors", "last.safetensors", "events.jsonl", "state.pt"} - {left}:
        (run / name).unlink()
    before = {p.name: p.read_bytes() for p in run.iterdir()}
    with pytest.raises(UserError, match=r"no state\.pt: it can't be resumed") as caught:
        train_small(project, {"training.epochs": 1}, resume=True)
    assert "another name" in caught.value.hint
    assert {p.name: p.read_bytes() for p in run.iterdir()} == before


def test_a_stop_in_the_first_epoch_writes_a_state_to_go_on_from(project: Path) -> None:
    done = 0

    def should_stop() -> bool:
        return done >= 1

    for event in start_small(project, should_stop=should_stop):
        done += isinstance(event, StepDone)
    run = RunFolder(project / "runs" / "first")
    assert run.has_model() and run.state.is_file()
    with pytest.raises(UserError, match="was begun with other settings"):
        train_small(project, {"fusion.name": "sum"}, resume=True)  # it would not be the same run
    assert run.has_model()
    assert train_small(project, resume=True)[-1].epochs == 3


def test_a_full_disk_ends_with_a_remedy(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise RuntimeError("[enforce fail at inline_container.cc:1] . unexpected pos 64 vs 0")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(UserError, match=r"can't be written.*unexpected pos") as caught:
        train_small(project)
    assert "Free some space" in caught.value.hint
    assert not list((project / "runs/first").glob("*.new"))


def test_a_torn_last_line_of_the_log_is_passed_over(project: Path) -> None:
    train_small(project, {"training.epochs": 2}, run="whole")
    train_small(project, {"training.epochs": 1}, run="torn")
    whole, torn = (RunFolder(project / "runs" / n) for n in ("whole", "torn"))
    with torn.log.open("a") as log:
        log.write('{"event": "step_done", "epo')
    assert torn.history().epochs == [1]
    train_small(project, {"training.epochs": 2}, run="torn", resume=True)
    assert torn.history().epochs == whole.history().epochs == [1, 2]
    assert len(torn.history().step_loss) == 6
    assert torn.history().started is not None
    assert torn.history().started.first_epoch == 2


def test_more_epochs_can_be_added_to_a_finished_run(project: Path) -> None:
    train_small(project, {"training.epochs": 1})
    events = train_small(project, {"training.epochs": 2}, resume=True)
    assert [e.epoch for e in of(events, EpochDone)] == [2]
    assert RunFolder(project / "runs" / "first").experiment().training.epochs == 2


def test_a_resume_of_a_finished_run_says_how_to_go_on(project: Path) -> None:
    train_small(project, {"training.epochs": 2})
    events = train_small(project, {"training.epochs": 2}, resume=True)
    assert not of(events, EpochDone) and events[-1].reason == "completed"
    told, = of(events, Warned)
    assert "All 2 epochs of runs/first are done" in told.message
    assert "training.epochs = 4" in told.hint


def test_a_resume_that_fails_leaves_the_run_as_it_was(project: Path) -> None:
    train_small(project, {"training.epochs": 1})
    run = project / "runs" / "first"
    before = {p.name: p.read_bytes() for p in run.iterdir()}
    with pytest.raises(UserError, match="fusion"):
        train_small(project, {"training.epochs": 2, "fusion.hidden": 16}, resume=True)
    assert {p.name: p.read_bytes() for p in run.iterdir()} == before


@pytest.mark.parametrize("changes", [
    {"inputs.sound.use": False}, {"inputs.image.encoder.width": 8}, {"targets.size.use": False},
    {"fusion.name": "sum"},
])
def test_a_resume_with_another_model_is_refused(project: Path, changes: dict[str, Any]) -> None:
    train_small(project, {"training.epochs": 1})
    with pytest.raises(UserError, match="was begun with other settings") as caught:
        train_small(project, changes, resume=True)
    assert "new run" in caught.value.hint


def test_a_resume_with_another_input_is_refused(project: Path) -> None:
    train_small(project, {"training.epochs": 1, "inputs.sound.use": False})
    with pytest.raises(UserError, match=r"\[inputs\]"):
        train_small(project, {"training.epochs": 2}, resume=True)


def test_patience_ends_a_run_that_gets_no_better(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = iter([1.0, 0.5, 0.7, 0.6, 0.55, 0.4])

    def figures_of(*args: Any, **options: Any) -> dict[str, Any]:
        figures = real(*args, **options)
        if len(args[1]["shape"]) == 9:
            loss = next(losses)
            figures["loss"] = figures["shape"]["loss"] = figures["size"]["loss"] = loss
            # equal figures: the loss decides
            figures["shape"]["accuracy"] = figures["size"]["accuracy"] = 0.5
        return figures

    real = scored.figures_of
    monkeypatch.setattr(scored, "figures_of", figures_of)
    events = train_small(project, {"training.epochs": 20, "training.patience": 3})
    assert (events[-1].reason, events[-1].best_epoch, events[-1].epochs) == (
        "early_stopped", 2, 5)
    assert [e.best for e in of(events, CheckpointSaved)] == [True, True, False, False, False]
    assert not same_weights(project / "runs/first/best.safetensors",
                            project / "runs/first/last.safetensors")


@pytest.mark.parametrize("halves", [False, True])
def test_the_weights_of_an_epoch_that_turns_out_the_best_are_there(
    project: Path, monkeypatch: pytest.MonkeyPatch, halves: bool
) -> None:
    """The second epoch is the best only once the third has left the first one behind."""
    scores = iter([Score(0.70, 0.5, 0.03), Score(0.72, 0.6, 0.03), Score(0.74, 0.7, 0.03)])
    monkeypatch.setattr(scored, "score_of", lambda *_: next(scores))
    events: list[Any] = []
    second = b""

    def two_are_done() -> bool:
        return len(of(events, EpochDone)) == 2

    for resume in (False, True)[:1 + halves]:
        stop = two_are_done if halves and not resume else lambda: False
        for event in start_small(project, {"training.epochs": 3}, resume=resume, should_stop=stop):
            events.append(event)
            if isinstance(event, CheckpointSaved) and not second and event.epoch == 2:
                second = (project / "runs/first/last.safetensors").read_bytes()
    assert [(e.epoch, e.best) for e in of(events, CheckpointSaved)] == [
        (1, True), (2, False), (3, False), (2, True)]
    assert events[-1].best_epoch == 2
    assert RunFolder(project / "runs/first").history().best_epoch == 2
    from safetensors.torch import load

    best, due = load((project / "runs/first/best.safetensors").read_bytes()), load(second)
    assert best.keys() == due.keys() and all(torch.equal(best[n], due[n]) for n in due)


def test_a_loss_that_is_no_number_ends_with_a_remedy(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mmstudio.tasks.classification import Classification

    monkeypatch.setattr(Classification, "loss", lambda self, outputs, targets, known: (
        outputs.sum() * float("nan")))
    with pytest.raises(UserError, match="Training diverged: the loss in epoch 1 is nan") as caught:
        train_small(project)
    assert "learning_rate to 0.001" in caught.value.hint


@pytest.mark.parametrize("place", ["encoder", "validation"])
def test_memory_that_runs_out_ends_with_a_remedy_and_no_thread(
    project: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    from mmstudio.encoders.text_rnn import TextRNN

    real = TextRNN.forward

    def forward(self: Any, *args: Any) -> Any:
        if self.training is (place == "encoder"):
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return real(self, *args)

    monkeypatch.setattr(TextRNN, "forward", forward)
    monkeypatch.setattr("mmstudio.training.validate.BATCH_SIZE", 2)
    before = threading.active_count()
    with pytest.raises(UserError, match="memory of cpu does not hold this model") as caught:
        train_small(project)
    assert threading.active_count() <= before
    assert "frozen" in caught.value.hint and "not even one sample" in caught.value.message


def test_files_that_cannot_be_read_are_warned_of_and_trained_without(project: Path) -> None:
    rows = read_rows(project)
    (project / rows[0]["file_name"]).write_bytes(b"noise")
    (project / rows[1]["file_name"]).unlink()
    events = train_small(project, {"training.epochs": 1})
    warned, = of(events, Warned)
    assert "2 of input 'image'" in warned.message
    assert "row 1" in warned.message and "000.png" in warned.message
    assert events[-1].reason == "completed"
    assert of(events, Started)[0].samples["train"] == 42


def test_a_run_that_is_there_already_is_not_overwritten(project: Path) -> None:
    train_small(project, {"training.epochs": 1})
    before = (project / "runs/first/best.safetensors").read_bytes()
    with pytest.raises(UserError, match="already exists"):
        train_small(project)
    assert (project / "runs/first/best.safetensors").read_bytes() == before


def test_resuming_what_is_no_run_is_refused(project: Path) -> None:
    with pytest.raises(UserError, match="not a run folder"):
        train_small(project, resume=True)


@pytest.mark.parametrize("place", ["runs", "runs/first"])
def test_a_file_in_the_way_is_a_user_error(project: Path, place: str) -> None:
    (project / place).parent.mkdir(exist_ok=True)
    (project / place).write_text("in the way")
    with pytest.raises(UserError):
        train_small(project)


@pytest.mark.parametrize(("key", "value", "message"), [
    ("training.device", "gpu", "training.device = 'gpu'"),
    ("training.device", "cuda:99", "training.device = 'cuda:99'"),
    ("training.precision", "float16", "training.precision = 'float16'"),
    ("inputs.image.encoder.width", 3, "inputs.image.encoder.width = 3"),
    ("data.table", "none.csv", "none.csv"),
])
def test_settings_that_cannot_work_are_refused_before_anything_is_written(
    project: Path, key: str, value: Any, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        train_small(project, {key: value})
    assert not (project / "runs").exists()


def test_too_few_rows_are_refused(project: Path) -> None:
    rows = read_rows(project)
    write_table(project / "metadata.csv", [
        r | ({} if i in (0, 3, 12) else {"split": ""}) for i, r in enumerate(rows)])
    with pytest.raises(UserError):
        train_small(project)


def test_odd_names_and_several_inputs_of_one_modality_train(project: Path) -> None:
    data = small_experiment({"training.epochs": 1}).to_dict()
    image, words, sound = data["inputs"].values()
    data["inputs"] = {"my picture.v1": image, "über [b]": words, "a/b": sound,
                      "second picture": image}
    data["targets"] = {"what. is it?": {"column": "shape"}, "size": {}}
    experiment = Experiment.from_dict(data)
    run = project / "runs" / "odd"
    events = list(loop.train(experiment, run, folder=project))
    assert events[-1].reason == "completed"
    assert of(events, Started)[0].inputs == list(data["inputs"])
    assert RunFolder(run).experiment().active_inputs.keys() == data["inputs"].keys()
    from mmstudio.inference.predictor import Predictor

    predicted = Predictor(run).predict({"über [b]": "round", "second picture": None})
    assert set(predicted.tasks) == {"what. is it?", "size"}
    assert predicted.present == ("über [b]",)


@pytest.mark.parametrize("only", ["image", "words", "sound"])
def test_one_input_is_enough(project: Path, only: str) -> None:
    changes = {f"inputs.{n}.use": n == only for n in ("image", "words", "sound") if n != only}
    events = train_small(project, changes | {"training.epochs": 1})
    assert of(events, Started)[0].inputs == [only]
    assert events[-1].reason == "completed"


@pytest.mark.parametrize("fusion", ["sum", "gated"])
def test_the_other_fusions_train(project: Path, fusion: str) -> None:
    events = train_small(project, {"fusion": {"name": fusion, "hidden": 32},
                                   "training.epochs": 6})
    assert of(events, EpochDone)[-1].validation["shape"]["accuracy"] > 0.6


@pytest.mark.parametrize("size", [1, 41, 4096])
def test_any_batch_size_trains(project: Path, size: int) -> None:
    rows = read_rows(project)
    if size == 1:
        rows = [r for r in rows if r["split"] != "train"] + [
            r for r in rows if r["split"] == "train"][:7]
        write_table(project / "metadata.csv", rows)
    events = train_small(project, {"training.epochs": 1, "training.batch_size": size})
    assert events[-1].reason == "completed"


def test_what_is_unknown_in_validation_is_null_in_the_log(project: Path) -> None:
    rows = read_rows(project)
    write_table(project / "metadata.csv", [
        r | ({} if r["split"] == "train" else {"size": ""}) for r in rows])
    events = train_small(project, {"training.epochs": 1})
    done = of(events, EpochDone)[0]
    assert done.validation["loss"] == pytest.approx(done.validation["shape"]["loss"])
    for line in (project / "runs/first/events.jsonl").read_text().splitlines():
        json.loads(line, parse_constant=lambda c: pytest.fail(f"{c} is no JSON"))


def test_long_sounds_share_batches_and_the_outputs_keep_their_rows(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mmstudio.data.alike.LONG_SOUND_S", 0.1)
    monkeypatch.setattr("mmstudio.training.validate.BATCH_SIZE", 4)
    train_small(project, {"training.epochs": 2})
    experiment = RunFolder(project / "runs" / "first").experiment()
    dataset = next(d for d in prepare(experiment, project) if isinstance(d, Dataset))
    model = build_model(experiment, dataset.schema)
    rows, cpu = dataset.rows("train"), torch.device("cpu")
    alike = outputs_of(model, dataset, rows, cpu)
    monkeypatch.setattr("mmstudio.data.alike.LONG_SOUND_S", 2.0)
    assert lengths_of(dataset) is None
    free = outputs_of(model, dataset, rows, cpu)
    for name in free:
        np.testing.assert_allclose(alike[name], free[name], rtol=1e-4, atol=1e-5)


def test_a_second_run_decodes_nothing(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_small(project, {"training.epochs": 1}, run="a")
    for name in ("image.ImageModality", "text.TextModality", "audio.AudioModality"):
        monkeypatch.setattr(f"mmstudio.modalities.{name}.decode",
                            lambda self, *args: pytest.fail("decoded again"))
    train_small(project, {"training.epochs": 1, "training.seed": 5}, run="b")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here")
def test_a_run_on_cuda_learns_and_gives_its_memory_back(project: Path) -> None:
    before = torch.cuda.memory_allocated()
    events = train_small(project, {"training.epochs": 8, "training.device": "cuda"})
    assert of(events, EpochDone)[-1].validation["shape"]["accuracy"] > 0.7
    assert torch.cuda.memory_allocated() == before
