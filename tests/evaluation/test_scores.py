"""Answers to a split are worked out once, kept, and hold as long as what they are made of."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mmstudio.data.prepare import Progress
from mmstudio.data.table import read_table
from mmstudio.errors import UserError
from mmstudio.evaluation.arrays import read_arrays, write_arrays
from mmstudio.evaluation.depends import depends_on
from mmstudio.evaluation.scores import Scores, TaskScores, kept_scores, scores_of
from mmstudio.inference.prediction import Prediction
from mmstudio.inference.predictor import Predictor
from mmstudio.training.run_folder import RunFolder
from tests.small_project import read_rows, write_table


def found(run: Path, split: str = "test", table: Path | None = None) -> Scores:
    *progress, last = scores_of(run, split, table)
    assert all(isinstance(p, Progress) for p in progress)
    assert isinstance(last, Scores)
    return last


def test_scores_are_the_predictors_for_every_subset(copied: Path) -> None:
    scores = found(copied)
    predictor = Predictor(copied)
    table = read_table(copied.parent.parent / "metadata.csv")
    rows = read_rows(copied.parent.parent)
    assert scores.inputs == ("image", "words", "sound")
    assert len(scores.subsets) == 7 and scores.subsets[0].all()
    assert [rows[r]["split"] for r in scores.rows] == ["test"] * len(scores)
    assert scores.ids == tuple(map(str, scores.rows))
    for at in range(7):
        hidden = [i.column for n, i in predictor.experiment.inputs.items()
                  if n not in scores.subset(at)]
        for place, row in enumerate(scores.rows):
            cells = rows[row] | dict.fromkeys(hidden, "")
            write_table(table.path.with_name("one.csv"), [cells])
            answer = next(iter(predictor.predict_table(
                read_table(table.path.with_name("one.csv")))))
            assert isinstance(answer, Prediction)
            assert scores.counted(at)[place] == bool(answer.present)
            for name, task in scores.tasks.items():
                told = answer.tasks[name].scores
                assert dict(zip(task.classes, task.scores(at)[place], strict=True)) == (
                    pytest.approx(told, abs=1e-4))


def test_labels_and_present_inputs_are_the_tables(copied: Path) -> None:
    scores = found(copied, "train")
    rows = read_rows(copied.parent.parent)
    for name, task in scores.tasks.items():
        told = [rows[r][name] for r in scores.rows]
        assert [bool(cell) for cell in told] == task.known.tolist()
        assert [task.labels[v] if k else "" for v, k in zip(
            task.values, task.known, strict=True)] == told
    there = [[bool(rows[r][c]) for c in ("file_name", "text", "audio")] for r in scores.rows]
    assert scores.present.tolist() == there


def test_traits_are_those_of_the_content_and_nan_where_it_is_absent(copied: Path) -> None:
    scores = found(copied, "train")
    assert list(scores.traits) == ["image brightness", "image contrast", "words length (tokens)",
                                   "sound length (s)", "sound loudness (dB)"]
    there = dict(zip(scores.inputs, scores.present.T, strict=True))
    for name, values in scores.traits.items():
        assert np.array_equal(np.isfinite(values), there[name.split()[0]])
    seconds, loudness = (scores.traits[f"sound {n}"] for n in ("length (s)", "loudness (dB)"))
    assert seconds[there["sound"]] == pytest.approx(0.3)
    assert loudness[there["sound"]] == pytest.approx(10 * np.log10(0.08), abs=0.2)
    rows = read_rows(copied.parent.parent)
    large = np.array([rows[r]["size"] == "big" for r in scores.rows])
    small = np.array([rows[r]["size"] == "small" for r in scores.rows])
    brightness = scores.traits["image brightness"]
    assert np.nanmean(brightness[large]) > np.nanmean(brightness[small])


def test_kept_scores_are_read_and_equal(copied: Path) -> None:
    assert kept_scores(copied) is None
    before = found(copied)
    kept = kept_scores(copied)
    assert kept is not None
    assert isinstance(next(iter(scores_of(copied))), Scores)
    assert kept.told == json.loads(json.dumps(before.told))
    assert kept.inputs == before.inputs and kept.ids == before.ids
    for name, task in before.tasks.items():
        assert np.array_equal(kept.tasks[name].outputs, task.outputs)
        assert np.array_equal(kept.tasks[name].values, task.values)
        assert kept.tasks[name].classes == task.classes
    assert kept_scores(copied, "validation") is None


def touch_weights(run: Path) -> None:
    path = run / "best.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def change_label(run: Path) -> None:
    rows = read_rows(run.parent.parent)
    rows[-1]["shape"] = "bar" if rows[-1]["shape"] != "bar" else "dot"
    write_table(run.parent.parent / "metadata.csv", rows)


def change_picture(run: Path) -> None:
    scores = kept_scores(run)
    assert scores is not None
    rows = read_rows(run.parent.parent)
    names = [rows[r]["file_name"] for r in scores.rows if rows[r]["file_name"]]
    path, other = (run.parent.parent / name for name in names[:2])
    path.write_bytes(other.read_bytes())
    os.utime(path, ns=(1, 1))


def tear(run: Path) -> None:
    path = run / "evaluation" / "test.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def of_another_version(run: Path) -> None:
    path = run / "evaluation" / "test.safetensors"
    arrays, told = read_arrays(path)
    write_arrays(path, {n: a.copy() for n, a in arrays.items()}, told | {"format": 0})


def with_a_label_too_many(run: Path) -> None:
    path = run / "evaluation" / "test.safetensors"
    arrays, told = read_arrays(path)
    changed = {n: a.copy() for n, a in arrays.items()}
    changed["values0"][0] = 99
    write_arrays(path, changed, told)


def with_words(run: Path) -> None:
    (run / "evaluation" / "test.safetensors").write_text("no tensors at all")


@pytest.mark.parametrize("change", [
    touch_weights, change_label, change_picture, tear, of_another_version, with_a_label_too_many,
    with_words])
def test_stale_or_torn_scores_are_worked_out_anew(
    copied: Path, change: Callable[[Path], None]
) -> None:
    found(copied)
    change(copied)
    assert kept_scores(copied) is None
    assert len(list(scores_of(copied))) > 1
    assert kept_scores(copied) is not None


def test_a_moved_project_keeps_its_scores(copied: Path) -> None:
    found(copied)
    moved = copied.parent.parent.rename(copied.parent.parent.with_name("moved"))
    assert kept_scores(moved / "runs" / "first") is not None


def test_a_run_that_cannot_be_written_to_is_answered(
    copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError("read-only")

    monkeypatch.setattr("mmstudio.evaluation.scores.write_arrays", refuse)
    monkeypatch.setattr("mmstudio.training.answers_digest.write_whole", refuse)
    assert len(found(copied)) == len(found(copied)) > 0
    assert kept_scores(copied) is None


def test_another_table_counts_all_its_rows_and_labels_never_seen(copied: Path) -> None:
    rows = read_rows(copied.parent.parent)[:12]
    rows[3] |= {"shape": "star", "size": ""}
    other = copied.parent.parent / "other.csv"
    write_table(other, rows)
    scores = found(copied, "test", other)
    assert scores.rows.tolist() == list(range(12))
    task = scores.tasks["shape"]
    assert task.unseen == ("star",)
    assert task.values[3] == 3 and task.known[3] and not task.seen[3]
    assert kept_scores(copied, "test", other) is not None
    assert kept_scores(copied) is None
    write_table(other, rows[:-1])
    assert kept_scores(copied, "test", other) is None


def test_one_table_beside_other_files_is_another_table(copied: Path, tmp_path: Path) -> None:
    files = RunFolder(copied)
    keys = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        table = tmp_path / name / "new.csv"
        shutil.copyfile(copied.parent.parent / "metadata.csv", table)
        keys.append(depends_on(files, "test", table))
        assert keys[-1] is not None and keys[-1] == depends_on(files, "test", table)
    assert keys[0] != keys[1]


def test_what_cannot_be_answered_is_a_user_error(copied: Path) -> None:
    with pytest.raises(UserError, match="no split 'tset'"):
        found(copied, "tset")
    with pytest.raises(UserError, match=r"none\.csv"):
        found(copied, "test", copied / "none.csv")
    with pytest.raises(UserError, match="not a run folder"):
        found(copied.parent)
    with pytest.raises(UserError, match="no answers from nothing"):
        found(copied).at([])


def test_probabilities_are_worked_out_of_logits() -> None:
    outputs = np.log(np.array([[[0.2, 0.8], [0.5, 0.5]]], np.float32))
    one = TaskScores("classification", ("a", "b"), (), outputs, np.array([1, 0]), np.ones(2, bool))
    assert one.scores(0) == pytest.approx(np.array([[0.2, 0.8], [0.5, 0.5]]))
    assert one.scores(0, np.array([0.5, 1.0]))[0] == pytest.approx([1 / 17, 16 / 17])
    assert one.answers(0).tolist() == [1, 0]
    many = TaskScores("multilabel", ("a",), (), np.array([[[0.0], [np.log(3)]]], np.float32),
                      np.ones((2, 1), np.uint8), np.ones(2, bool), threshold=0.7)
    assert many.scores(0)[:, 0] == pytest.approx([0.5, 0.75])
    assert many.answers(0)[:, 0].tolist() == [False, True]
    number = TaskScores("regression", (), (), np.array([[[0.5], [-1.0]]], np.float32),
                        np.zeros(2), np.ones(2, bool), mean=10.0, deviation=4.0)
    assert number.answers(0).tolist() == [12.0, 6.0]


def test_a_hundred_thousand_rows_are_read_in_a_moment(copied: Path) -> None:
    found(copied)
    path = copied / "evaluation" / "test.safetensors"
    arrays, told = read_arrays(path)
    places = np.arange(100_000) % len(arrays["rows"])
    many = {n: a if n == "subsets" else a[:, places] if n.startswith("outputs") else a[places]
            for n, a in arrays.items()}
    write_arrays(path, many, told)
    began = time.perf_counter()
    kept = kept_scores(copied)
    assert kept is not None and len(kept) == 100_000
    assert time.perf_counter() - began < 1.0
