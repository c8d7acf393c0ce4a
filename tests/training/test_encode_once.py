"""Frozen encoders run once; what is kept, and that nothing is encoded twice."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from mmstudio.data.batches import make_batch
from mmstudio.data.prepare import Dataset, prepare
from mmstudio.data.store_space import clear_store, store_dir
from mmstudio.inference.evaluate import Evaluation, evaluate
from mmstudio.inference.predictor import Predictor
from mmstudio.training import encode_once, loop, measured
from mmstudio.training.encode_once import encoded_once
from mmstudio.training.events import (
    EpochDone,
    InputsScored,
    Preparing,
    RunFinished,
    Started,
    StepDone,
    Warned,
)
from mmstudio.training.model import MultimodalModel, build_model, completed
from mmstudio.training.run_folder import RunFolder
from tests.frozen_words import PUBLISHED_WIDTH, FrozenWords, use_frozen_words
from tests.small_project import read_rows, small_experiment, train_small, write_table

CPU = torch.device("cpu")
FROZEN = {"inputs.words.encoder": {"name": "frozen_words"}, "inputs.sound.use": False,
          "training.epochs": 3}


def of(events: list[Any], kind: type) -> list[Any]:
    return [e for e in events if type(e) is kind]


@pytest.fixture
def words(monkeypatch: pytest.MonkeyPatch) -> type[FrozenWords]:
    return use_frozen_words(monkeypatch)


def loaded(project: Path) -> tuple[MultimodalModel, Dataset]:
    experiment = completed(small_experiment(FROZEN))
    dataset = next(d for d in prepare(experiment, project) if isinstance(d, Dataset))
    return build_model(experiment, dataset.schema), dataset


def encoded(model: MultimodalModel, dataset: Dataset) -> Dataset:
    items = list(encoded_once(model, dataset, CPU, torch.float32))
    assert isinstance(items[-1], Dataset)
    return items[-1]


def texts_of(project: Path) -> int:
    return sum(bool(r["text"]) for r in read_rows(project))


def test_every_row_is_encoded_once_and_a_second_run_encodes_nothing(
    project: Path, words: type[FrozenWords]
) -> None:
    events = train_small(project, FROZEN, run="a")
    assert FrozenWords.encoded == texts_of(project)
    told = [(e.done, e.total) for e in of(events, Preparing) if e.message == "Encoding words"]
    assert told[-1] == (texts_of(project), texts_of(project))
    assert len(of(events, EpochDone)) == 3 and len(of(events, InputsScored)) == 1
    again = train_small(project, FROZEN | {"training.seed": 5}, run="b")
    assert FrozenWords.encoded == texts_of(project)
    assert not [e for e in of(again, Preparing) if e.message == "Encoding words"]
    evaluation = list(evaluate(project / "runs/a", inputs=True, device="cpu"))[-1]
    assert isinstance(evaluation, Evaluation)
    assert FrozenWords.encoded == texts_of(project)


def test_other_weights_are_encoded_anew(
    project: Path, words: type[FrozenWords], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, dataset = loaded(project)
    encoded(model, dataset)
    monkeypatch.setattr(words, "key", "embeddings-2")
    encoded(model, dataset)
    assert FrozenWords.encoded == 2 * texts_of(project)


def changed_table(project: Path, *, more: int = 0, without: int = 0) -> None:
    """The table with further test rows, or without its first rows; training rows stay."""
    rows = read_rows(project)
    new = [r | {"text": f"{r['text']} {r['text']}", "split": "test"} for r in
           [r for r in rows if r["text"]][:more]]
    write_table(project / "metadata.csv", [*new, *rows[without:]])


def test_a_new_row_or_label_has_only_itself_encoded(
    project: Path, words: type[FrozenWords]
) -> None:
    rows = read_rows(project)
    bare = next(i for i, r in enumerate(rows) if r["text"] and r["split"] == "test")
    write_table(project / "metadata.csv", [
        r | ({"shape": "", "size": ""} if i == bare else {}) for i, r in enumerate(rows)])
    model, dataset = loaded(project)
    encoded(model, dataset)
    before = FrozenWords.encoded
    write_table(project / "metadata.csv", rows)  # a label more
    model, dataset = loaded(project)
    encoded(model, dataset)
    assert FrozenWords.encoded == before + 1
    changed_table(project, more=2)
    model, dataset = loaded(project)
    found = encoded(model, dataset).encoded["words"]
    assert FrozenWords.encoded == before + 3
    table, decoded = model.encoders[1].table, dataset.decoded["words"]
    assert found.row(0) is not None and found.row(1) is not None
    for row in range(len(decoded)):
        tokens, features = decoded.row(row), found.row(row)
        assert (tokens is None) == (features is None)
        if tokens is not None:
            expected = table[torch.from_numpy(tokens.astype(np.int64))]  # type: ignore[index]
            assert np.allclose(features, expected.numpy(), atol=2e-3)  # type: ignore[arg-type]


def test_what_is_taken_over_is_not_kept_twice_unless_it_is_more(
    project: Path, words: type[FrozenWords]
) -> None:
    def folders() -> set[str]:
        return {p.name for p in store_dir().iterdir() if "-" in p.name}

    changed_table(project)
    found = encoded(*loaded(project))
    first = folders()
    del found
    changed_table(project, more=1)
    found = encoded(*loaded(project))
    second = folders()
    assert len(first) == len(second) == 1 and first != second
    del found
    changed_table(project, without=1)
    encoded(*loaded(project))
    assert len(folders()) == 2  # the row that is gone may come back
    assert FrozenWords.encoded == texts_of(project) + 1


def test_a_published_models_features_know_its_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    from mmstudio.encoders import pretrained

    now = pretrained.library_versions()
    assert now["torch"] and now["transformers"]
    encoder = SimpleNamespace(
        frozen=True, found=SimpleNamespace(digest="weights"), most_tokens=4, facts=dict)
    key = pretrained.PretrainedEncoder.stored_key.fget(encoder)  # type: ignore[attr-defined]
    monkeypatch.setattr(pretrained, "version", lambda name: "0.1")
    assert pretrained.PretrainedEncoder.stored_key.fget(encoder) != key  # type: ignore[attr-defined]


def test_features_are_those_of_the_encoder_and_absent_rows_stay_absent(
    project: Path, words: type[FrozenWords]
) -> None:
    model, dataset = loaded(project)
    rows = dataset.rows("train")
    live = make_batch(dataset, model.modalities, rows)
    found = encoded(model, dataset)
    assert found.encoded["words"].data.dtype == np.float16
    assert found.encoded["words"].tail == (PUBLISHED_WIDTH,)
    kept = make_batch(found, model.modalities, rows)
    item = kept.inputs["words"]
    assert item.encoded and not kept.inputs["image"].encoded
    assert torch.equal(item.present, live.inputs["words"].present)
    assert not item.present.all()
    model.eval()
    with torch.no_grad():
        expected = model(model.prepared(live))
        answers = model(model.prepared(kept))
    for name in expected:
        assert torch.allclose(answers[name], expected[name], atol=2e-3)


def test_rows_of_similar_length_are_encoded_together_and_kept_in_their_order(
    project: Path, words: type[FrozenWords], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = read_rows(project)
    write_table(project / "metadata.csv", [
        r | {"text": " ".join(["round"] * (1 + 7 * i % 11))} if r["text"] else r
        for i, r in enumerate(rows)])
    monkeypatch.setattr(encode_once, "ROWS_ON_CPU", 4)
    wasted: list[int] = []
    plain = FrozenWords.encode

    def encode(self: FrozenWords, values: torch.Tensor, mask: torch.Tensor) -> Any:
        wasted.append(int(mask.sum(dim=1).max() - mask.sum(dim=1).min()))
        return plain(self, values, mask)

    monkeypatch.setattr(FrozenWords, "encode", encode)
    model, dataset = loaded(project)
    found = encoded(model, dataset).encoded["words"]
    assert len(wasted) > 10 and np.mean(wasted[1:]) < 3  # the first window is one batch
    lengths, decoded = np.diff(found.starts) // PUBLISHED_WIDTH, dataset.decoded["words"]
    assert lengths.tolist() == np.where(dataset.used, np.diff(decoded.starts), 0).tolist()
    table = model.encoders[1].table
    for row in np.flatnonzero(lengths).tolist():
        expected = table[torch.from_numpy(decoded.row(row).astype(np.int64))]  # type: ignore
        assert np.allclose(found.row(row), expected.numpy(), atol=2e-3)


def test_only_rows_that_are_used_are_encoded_and_others_can_still_be_asked_for(
    project: Path, words: type[FrozenWords]
) -> None:
    rows = read_rows(project)
    write_table(project / "metadata.csv", [
        r | ({"shape": "", "size": ""} if i < 10 else {}) for i, r in enumerate(rows)])
    model, dataset = loaded(project)
    found = encoded(model, dataset)
    assert FrozenWords.encoded == sum(bool(r["text"]) for r in rows[10:])
    assert not make_batch(found, model.modalities, np.arange(8)).inputs["words"].encoded
    assert make_batch(found, model.modalities, np.arange(20, 28)).inputs["words"].encoded


def test_a_run_is_the_same_as_with_encoding_in_every_step(
    project: Path, words: type[FrozenWords], monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = FROZEN | {"training.augment": False}
    once = train_small(project, changes, run="once")
    monkeypatch.setattr(words, "key", None)
    live = train_small(project, changes, run="live")
    losses = [[e.loss for e in of(events, StepDone)] for events in (once, live)]
    assert losses[0][:3] == pytest.approx(losses[1][:3], abs=2e-3)
    assert losses[0] == pytest.approx(losses[1], abs=0.05)
    assert FrozenWords.encoded > 3 * 40


@pytest.mark.parametrize("resume", [False, True])
def test_a_stop_while_encoding_ends_at_once_and_leaves_nothing_begun(
    project: Path, words: type[FrozenWords], monkeypatch: pytest.MonkeyPatch, resume: bool
) -> None:
    if resume:
        train_small(project, FROZEN | {"training.epochs": 1})
        clear_store()
        before = (project / "runs/first/best.safetensors").read_bytes()
    monkeypatch.setattr(FrozenWords, "encoded", 0)
    events = train_small(project, FROZEN, should_stop=lambda: FrozenWords.encoded > 0,
                         resume=resume)
    assert 0 < FrozenWords.encoded < texts_of(project)
    assert not of(events, Started)
    assert isinstance(events[-1], RunFinished) and events[-1].reason == "stopped"
    assert not list(store_dir().glob("*.part"))
    run = RunFolder(project / "runs/first")
    assert run.has_model() is resume
    if resume:
        assert run.best.read_bytes() == before
    assert train_small(project, FROZEN, resume=True)[-1].reason == "completed"


def test_where_memory_is_short_it_is_encoded_in_parts_and_told_after_the_start(
    project: Path, words: type[FrozenWords], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FrozenWords, "most_rows", 5)
    events = train_small(project, FROZEN)
    warned = of(events, Warned)
    assert ["encoding words" in w.message for w in warned] == [True, True]
    assert events.index(warned[0]) > events.index(of(events, Started)[0])
    assert FrozenWords.encoded == texts_of(project)


def test_what_is_too_much_to_keep_is_encoded_in_every_epoch(
    project: Path, words: type[FrozenWords], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encode_once, "limit_bytes", lambda: 2000)
    events = train_small(project, FROZEN)
    warned, = of(events, Warned)
    assert "features of 'words' would take" in warned.message
    assert "inputs.words.encoder.tokens" in warned.hint
    assert events[-1].reason == "completed"
    assert FrozenWords.encoded > 3 * 40
    assert not list(store_dir().glob("*.part"))


def test_the_fixed_weights_stay_out_of_the_run_and_an_old_file_with_them_opens(
    project: Path, words: type[FrozenWords]
) -> None:
    train_small(project, FROZEN)
    run = RunFolder(project / "runs/first")
    for path in (run.best, run.last):
        assert not [n for n in load_file(path) if n.endswith("table")]
    state = torch.load(run.state, weights_only=True)
    assert not [n for n in state["model"] if n.endswith("table")]
    answer = Predictor(run.path, "cpu").predict({"words": "round little point"})
    whole = load_file(run.best)
    whole["encoders.1.table"] = Predictor(run.path, "cpu").model.encoders[1].table
    from safetensors.torch import save_file

    save_file(whole, run.best)
    assert Predictor(run.path, "cpu").predict({"words": "round little point"}).tasks == answer.tasks
    del whole["encoders.1.linear.bias"]
    save_file(whole, run.best)
    with pytest.raises(Exception, match="another model"):
        Predictor(run.path, "cpu")


def test_a_resumed_run_goes_on_as_if_never_stopped(
    project: Path, words: type[FrozenWords]
) -> None:
    train_small(project, FROZEN, run="whole")
    done: list[int] = []
    events = loop.train(small_experiment(FROZEN), project / "runs/parts", folder=project,
                        should_stop=lambda: bool(done))
    for event in events:
        if isinstance(event, EpochDone):
            done.append(event.epoch)
    train_small(project, FROZEN, run="parts", resume=True)
    one, other = (load_file(project / "runs" / n / "last.safetensors") for n in ("whole", "parts"))
    assert all(torch.equal(one[n], other[n]) for n in one)


def test_the_predictor_answers_as_the_evaluation_does(
    project: Path, words: type[FrozenWords]
) -> None:
    train_small(project, FROZEN | {"training.epochs": 6})
    predictor = Predictor(project / "runs/first", "cpu")
    dataset = next(d for d in prepare(predictor.experiment, project, schema=predictor.schema)
                   if isinstance(d, Dataset))
    assert "words" in predictor.with_features(dataset).encoded
    from mmstudio.training.validate import outputs_of

    rows = dataset.rows("test")
    kept = outputs_of(predictor.model, predictor.with_features(dataset), rows, CPU)
    cells = read_rows(project)
    for at, row in enumerate(rows.tolist()):
        given = {"words": cells[row]["text"] or None,
                 "image": project / cells[row]["file_name"] if cells[row]["file_name"] else None}
        scores = predictor.predict(given).tasks["shape"].scores
        shares = np.exp(kept["shape"][at]) / np.exp(kept["shape"][at]).sum()
        assert [scores[c] for c in ("bar", "cross", "dot")] == pytest.approx(
            shares.tolist(), abs=5e-3)


@pytest.mark.parametrize(("seconds", "found"), [
    ((2.0, 1.0), "bfloat16"), ((1.0, 2.0), "float32"), ((1.0, 0.98), "float32")])
def test_the_format_of_frozen_encoders_is_measured_and_kept(
    project: Path, words: type[FrozenWords], monkeypatch: pytest.MonkeyPatch,
    seconds: tuple[float, float], found: str,
) -> None:
    model, dataset = loaded(project)
    formats = ["float32", "bfloat16"]
    monkeypatch.setattr(measured, "cpu_formats", lambda: formats)
    assert measured.encoding_format(model, dataset) == "float32"  # few rows are not worth it
    monkeypatch.setattr(measured, "MANY_ENCODED", 10)
    monkeypatch.setattr(measured, "_encoding_seconds",
                        lambda _: dict(zip(formats, seconds, strict=True)))
    assert measured.encoding_format(model, dataset) == found
    monkeypatch.setattr(measured, "_encoding_seconds", lambda _: pytest.fail("measured again"))
    assert measured.encoding_format(model, dataset) == found


def test_features_that_are_kept_are_taken_in_their_format(
    project: Path, words: type[FrozenWords], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measured, "cpu_formats", lambda: ["float32", "bfloat16"])
    monkeypatch.setattr(measured, "MANY_ENCODED", 10)
    monkeypatch.setattr(measured, "_encoding_seconds", lambda _: pytest.fail("measured"))
    model, dataset = loaded(project)
    list(encoded_once(model, dataset, CPU, torch.bfloat16))
    assert measured.encoding_format(model, dataset) == "bfloat16"


def test_both_formats_are_really_tried(
    project: Path, words: type[FrozenWords], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measured, "cpu_formats", lambda: ["float32", "bfloat16"])
    monkeypatch.setattr(measured, "MANY_ENCODED", 10)
    model, dataset = loaded(project)
    assert measured.encoding_format(model, dataset) in ("float32", "bfloat16")
    assert FrozenWords.encoded == 2 * 3 * measured.TRIED_ROWS
