"""Answers for single samples and for tables, from any subset of the inputs."""

from __future__ import annotations

import math
import shutil
from itertools import chain, combinations
from pathlib import Path
from typing import Any

import pytest
import torch

from mmstudio.data.table import read_table
from mmstudio.errors import UserError
from mmstudio.inference.prediction import Prediction
from mmstudio.inference.predictor import Predictor
from tests.small_project import read_rows, train_small, write_small_project

NAMES = ("image", "words", "sound")
SUBSETS = list(chain.from_iterable(combinations(NAMES, n) for n in range(4)))
COLUMNS = {"image": "file_name", "words": "text", "sound": "audio"}


@pytest.fixture(scope="module")
def predictor(trained: Path) -> Predictor:
    return Predictor(trained)


@pytest.fixture(scope="module")
def sample(trained: Path) -> dict[str, str | Path | None]:
    folder = trained.parent.parent
    row = read_rows(folder)[33]
    return {"image": folder / row["file_name"], "words": row["text"],
            "sound": folder / row["audio"]}


def scores(prediction: Prediction) -> dict[str, dict[str, float]]:
    return {task: answer.scores for task, answer in prediction.tasks.items()}


def test_it_says_what_it_takes_and_answers(predictor: Predictor) -> None:
    assert predictor.inputs == {"image": "image", "words": "text", "sound": "audio"}
    assert predictor.tasks == {"shape": "classification", "size": "classification"}


@pytest.mark.parametrize("subset", SUBSETS, ids=lambda s: "+".join(s) or "none")
def test_any_subset_of_the_inputs_gives_an_answer(
    predictor: Predictor, sample: dict[str, Any], subset: tuple[str, ...]
) -> None:
    prediction = predictor.predict({n: sample[n] for n in subset})
    assert prediction.present == subset
    assert prediction.seconds > 0
    assert set(prediction.tasks) == {"shape", "size"}
    for task, answer in prediction.tasks.items():
        assert set(answer.scores) == set(predictor.schema.targets[task]["classes"])
        values = list(answer.scores.values())
        assert values == sorted(values, reverse=True)
        assert sum(values) == pytest.approx(1)
        assert answer.label == next(iter(answer.scores))
        assert answer.value is None


@pytest.mark.parametrize("subset", SUBSETS, ids=lambda s: "+".join(s) or "none")
def test_muting_equals_leaving_out(
    predictor: Predictor, sample: dict[str, Any], subset: tuple[str, ...]
) -> None:
    left_out = predictor.predict({n: sample[n] for n in subset})
    muted = predictor.predict(sample, use=subset)
    emptied = predictor.predict({n: sample[n] if n in subset else None for n in NAMES})
    assert scores(left_out) == scores(muted) == scores(emptied)
    assert muted.present == emptied.present == subset


def test_muted_inputs_are_not_even_read(predictor: Predictor, sample: dict[str, Any]) -> None:
    broken = sample | {"image": "/none.png"}
    assert predictor.predict(broken, use={"words", "sound"}).present == ("words", "sound")


def test_it_answers_rightly_and_each_input_counts(
    predictor: Predictor, sample: dict[str, Any]
) -> None:
    row = read_rows(predictor.run.path.parent.parent)[33]
    assert predictor.predict(sample).tasks["shape"].label == row["shape"]
    found = [scores(predictor.predict(sample, use=s))["shape"] for s in SUBSETS]
    assert len({tuple(f.values()) for f in found}) == len(SUBSETS)


def test_the_order_of_the_inputs_does_not_matter(
    predictor: Predictor, sample: dict[str, Any]
) -> None:
    turned = dict(reversed(sample.items()))
    assert scores(predictor.predict(turned)) == scores(predictor.predict(sample))
    assert predictor.predict(turned).present == NAMES


def test_paths_may_be_texts_and_texts_files(
    predictor: Predictor, sample: dict[str, Any], tmp_path: Path
) -> None:
    note = tmp_path / "note.txt"
    note.write_text(f"\ufeff{sample['words']}\n", encoding="utf-8")
    by_text = predictor.predict({"image": str(sample["image"]), "words": sample["words"]})
    by_file = predictor.predict({"image": sample["image"], "words": note})
    assert scores(by_text) == scores(by_file)


@pytest.mark.parametrize("blank", ["", "  ", "\n", None])
def test_a_blank_text_is_absent(predictor: Predictor, blank: str | None) -> None:
    assert predictor.predict({"words": blank}).present == ()


def test_blanks_around_a_text_do_not_count(predictor: Predictor) -> None:
    assert scores(predictor.predict({"words": " round dot \n"})) == scores(
        predictor.predict({"words": "round dot"}))


def test_what_cannot_be_used_is_a_user_error(predictor: Predictor, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"noise")
    for inputs, message in (
        ({"picture": "a.png"}, "no input 'picture'"), ({"image": tmp_path / "none.png"}, "missing"),
        ({"image": tmp_path / "bad.png"}, r"bad\.png"), ({"sound": tmp_path}, "is a folder"),
    ):
        with pytest.raises(UserError, match=message) as caught:
            predictor.predict(inputs)
        assert caught.value.hint


def test_a_table_gives_what_single_samples_give(predictor: Predictor) -> None:
    folder = predictor.run.path.parent.parent
    table = read_table(folder / "metadata.csv")
    answers = list(predictor.predict_table(table, batch_size=7))
    assert len(answers) == len(table)
    for row, (cells, answer) in enumerate(zip(read_rows(folder), answers, strict=True)):
        single = predictor.predict({
            n: None if not cells[c] else cells[c] if n == "words" else folder / cells[c]
            for n, c in COLUMNS.items()})
        assert isinstance(answer, Prediction), row
        assert answer.present == single.present
        for task in ("shape", "size"):
            assert answer.tasks[task].scores == pytest.approx(single.tasks[task].scores, abs=1e-5)


def test_a_cell_of_a_table_that_cannot_be_read_counts_as_absent_and_is_told(
    predictor: Predictor, tmp_path: Path
) -> None:
    (tmp_path / "t.csv").write_text(
        "file_name,text,audio\n,round,\nnone.png,round,\n,,\nno.png,,none.wav\n")
    whole, partly, nothing, lost = predictor.predict_table(read_table(tmp_path / "t.csv"))
    assert isinstance(whole, Prediction) and isinstance(partly, Prediction)
    assert partly.present == whole.present == ("words",)
    assert scores(partly)["shape"] == pytest.approx(scores(whole)["shape"])
    assert "Row 2" in partly.error and "none.png" in partly.error
    assert partly.to_json()["error"] == partly.error
    assert isinstance(nothing, Prediction) and (nothing.present, nothing.error) == ((), "")
    assert not whole.error and "error" not in whole.to_json()
    assert isinstance(lost, UserError)
    assert "Row 4" in str(lost) and "no.png" in str(lost) and "none.wav" in str(lost)


def test_a_table_may_lack_columns_but_not_all(predictor: Predictor, tmp_path: Path) -> None:
    (tmp_path / "some.csv").write_text("text\nround\n")
    answer, = predictor.predict_table(read_table(tmp_path / "some.csv"))
    assert isinstance(answer, Prediction)
    assert answer.present == ("words",)
    (tmp_path / "none.csv").write_text("words\nround\n")
    with pytest.raises(UserError, match="'file_name', 'text', 'audio'"):
        list(predictor.predict_table(read_table(tmp_path / "none.csv")))


def test_loading_does_not_disturb_random_numbers(trained: Path) -> None:
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    Predictor(trained)
    assert torch.equal(torch.rand(3), expected)


def test_a_run_that_moved_still_answers(trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained, tmp_path / "elsewhere")
    assert Predictor(tmp_path / "elsewhere").predict({"words": "round"}).tasks["shape"].label


@pytest.mark.parametrize(("file", "content", "message"), [
    ("best.safetensors", None, "no trained model"), ("schema.json", None, "no trained model"),
    ("experiment.toml", None, "not a run folder"),
    ("best.safetensors", b"x" * 50, "best.safetensors"),
    ("best.safetensors", b"", "best.safetensors"), ("schema.json", b"{", "schema.json"),
    ("experiment.toml", b"[data", "experiment.toml"),
])
def test_a_damaged_run_is_a_user_error(
    copied: Path, file: str, content: bytes | None, message: str
) -> None:
    (copied / file).unlink()
    if content is not None:
        (copied / file).write_bytes(content)
    with pytest.raises(UserError, match=message):
        Predictor(copied)


def test_weights_of_another_model_are_a_user_error(copied: Path) -> None:
    text = (copied / "experiment.toml").read_text()
    (copied / "experiment.toml").write_text(text.replace("hidden = 32", "hidden = 16"))
    with pytest.raises(UserError, match=r"best\.safetensors"):
        Predictor(copied)


def shares_of(predictor: Predictor, target: str) -> dict[str, float]:
    """Of the training rows."""
    spec = predictor.schema.targets[target]
    return {c: n / sum(spec["counts"]) for c, n in zip(spec["classes"], spec["counts"],
                                                       strict=True)}


@pytest.mark.parametrize("changes", [
    {}, {"inputs.words.use": False, "inputs.sound.use": False}, {"fusion.name": "late"}])
def test_nothing_is_answered_with_the_training_rows_shares(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    """Of one input no training row lacks it: its absent token has learnt nothing."""
    project = write_small_project(tmp_path / "project")
    train_small(project, {"training.epochs": 2, **changes})
    predictor = Predictor(project / "runs" / "first", "cpu")
    nothing = predictor.predict({})
    for target in ("shape", "size"):
        assert nothing.tasks[target].scores == pytest.approx(shares_of(predictor, target), abs=1e-5)
    assert "No input is present" in nothing.note and nothing.to_json()["note"] == nothing.note
    some = predictor.predict({"image": project / "images" / "000.png"})
    assert some.note == "" and "note" not in some.to_json()
    image = predictor.decode("image", project / "images" / "000.png")
    both = predictor._outputs({n: [image if n == "image" else None, None]
                               for n in predictor.inputs})
    chances = both["shape"].softmax(dim=1)
    assert chances[1].tolist() == pytest.approx(list(shares_of(predictor, "shape").values()),
                                                abs=1e-5)
    assert chances[0].tolist() == pytest.approx(
        [some.tasks["shape"].scores[c] for c in shares_of(predictor, "shape")], abs=1e-4)


def test_every_contribution_counts_from_the_training_rows_shares(trained: Path) -> None:
    predictor = Predictor(trained, "cpu")
    folder = trained.parent.parent
    shares = shares_of(predictor, "shape")
    answered = set()
    for number in range(0, 30, 5):
        found = predictor.predict({"image": folder / "images" / f"{number:03d}.png"})
        told = found.contributions["shape"]
        share = shares[told.of[0]]
        assert told.nothing == pytest.approx(math.log(share / (1 - share)), abs=1e-4)
        assert told.nothing + sum(told.inputs.values()) == pytest.approx(told.everything, abs=1e-4)
        answered.add(told.of[0])
