"""Each family of checks finds what it is for, in its rows, and nothing in good data."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import soundfile
from PIL import Image

from mmstudio.data.checks import KINDS, Problem, Report, by_kind, check
from mmstudio.data.checks.cells import cell_problems
from mmstudio.data.checks.examined import Examined, Input
from mmstudio.data.checks.labels import label_problems
from mmstudio.data.table import Table
from mmstudio.experiment import Experiment
from mmstudio.training.model import completed
from tests.small_project import read_rows, small_experiment, write_small_project, write_table
from tests.tiny_models import tiny

RATE_HZ = 8000


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_small_project(tmp_path / "p", rows=120)


def problems_of(folder: Path, experiment: Experiment | None = None) -> tuple[Problem, ...]:
    *_, report = check(experiment or small_experiment(), folder)
    assert isinstance(report, Report)
    return report.problems


def changed(folder: Path, changes: dict[int, dict[str, str]]) -> list[dict[str, str]]:
    rows = read_rows(folder)
    for row, cells in changes.items():
        rows[row] |= cells
    write_table(folder / "metadata.csv", rows)
    return rows


def of_split(folder: Path, split: str, *columns: str) -> list[int]:
    """Rows of a split that have all these cells."""
    return [r for r, cells in enumerate(read_rows(folder))
            if cells["split"] == split and all(cells[c] for c in columns)]


def by_row(problems: tuple[Problem, ...]) -> set[tuple[int, str]]:
    return {(p.row, p.kind) for p in problems}


def test_silent_and_constant_sounds_and_blank_pictures_are_told(project: Path) -> None:
    one, two, three = of_split(project, "train", "audio", "file_name")[:3]
    rows = read_rows(project)
    soundfile.write(project / rows[one]["audio"], np.zeros(2400), RATE_HZ)
    soundfile.write(project / rows[two]["audio"], np.full(2400, 0.5), RATE_HZ)
    Image.new("RGB", (16, 16), "teal").save(project / rows[three]["file_name"])
    assert by_row(problems_of(project)) == {(one, "silent"), (two, "silent"), (three, "blank")}


@pytest.mark.parametrize(("other", "plain"), [
    ("SHOUTED", "shouted"), (" With  Blanks ", "withblanks"), ("with-dashes", "With dashes"),
    ("\uff57\uff49\uff44\uff45", "wide"),
])
def test_labels_that_are_spelt_nearly_alike_are_one_problem(
    project: Path, other: str, plain: str
) -> None:
    rows = of_split(project, "train", "shape")
    changed(project, {rows[0]: {"shape": other}} | {r: {"shape": plain} for r in rows[1:9]})
    [found] = [p for p in problems_of(project) if p.kind == "similar_label"]
    assert (found.row, found.rows) == (rows[0], (rows[0],))
    assert found.detail == {"target": "shape", "label": other.strip(), "into": plain}


def test_the_signs_of_numbers_are_no_spelling(project: Path) -> None:
    rows = read_rows(project)
    write_table(project / "metadata.csv",
                [r | {"shape": str(i % 3 - 1)} for i, r in enumerate(rows)])
    assert "similar_label" not in {p.kind for p in problems_of(project)}


@pytest.mark.parametrize("change", ["none", "jpeg", "darker"])
def test_a_picture_in_two_splits_is_told_however_it_was_saved(project: Path, change: str) -> None:
    train = of_split(project, "train", "file_name")[4]
    test = of_split(project, "test", "file_name")[1]
    rows = read_rows(project)
    with Image.open(project / rows[train]["file_name"]) as picture:
        copy = picture.copy()
    target = "images/copy.png"
    if change == "jpeg":
        target = "images/copy.jpg"
        copy.save(project / target, quality=85)
    else:
        copy.point(lambda level: int(level * (0.8 if change == "darker" else 1))).save(
            project / target)
    changed(project, {test: {"file_name": target}})
    [found] = problems_of(project)
    assert (found.kind, found.row, found.rows) == ("duplicate", train, (train, test))
    assert f"row {test + 1} (test)" in found.message


@pytest.mark.parametrize("change", ["softer", "ogg", "resampled", "upside down"])
def test_a_sound_in_two_splits_is_told_at_any_level(project: Path, change: str) -> None:
    train = of_split(project, "train", "audio")[5]
    later = of_split(project, "validation", "audio")[1]
    rows = read_rows(project)
    noise = np.random.default_rng(1).normal(size=4000) * np.hanning(4000) * 0.3
    soundfile.write(project / rows[train]["audio"], noise, RATE_HZ)
    target, rate_hz = "sounds/copy.wav", RATE_HZ
    if change == "softer":
        noise = noise * 0.2
    if change == "upside down":
        noise = -noise
    if change == "ogg":
        target = "sounds/copy.ogg"
    if change == "resampled":
        import soxr

        noise, rate_hz = soxr.resample(noise, RATE_HZ, 16_000), 16_000
    soundfile.write(project / target, noise, rate_hz)
    changed(project, {later: {"audio": target}})
    assert by_row(problems_of(project)) == {(train, "duplicate")}


def test_a_text_in_two_splits_is_told_whatever_its_case_and_marks(project: Path) -> None:
    train, test = of_split(project, "train", "text")[3], of_split(project, "test", "text")[2]
    text = read_rows(project)[train]["text"]
    changed(project, {test: {"text": f"  {text.upper()} !"}})
    assert by_row(problems_of(project)) == {(train, "duplicate")}


def test_texts_that_repeat_by_nature_are_no_duplicates(project: Path) -> None:
    rows = read_rows(project)
    write_table(project / "metadata.csv", [
        r | {"text": r["text"] and f"one of {i % 10} short answers"} for i, r in enumerate(rows)])
    assert not problems_of(project)


def test_the_same_content_within_a_split_is_no_problem(project: Path) -> None:
    one, other = of_split(project, "train", "file_name")[:2]
    changed(project, {one: {"file_name": read_rows(project)[other]["file_name"]}})
    assert not problems_of(project)


def with_families(project: Path) -> list[dict[str, str]]:
    """A column whose 24 groups of five rows keep to the splits."""
    rows = sorted(read_rows(project), key=lambda r: r["split"])
    counts: dict[str, int] = {}
    for cells in rows:
        at = counts[cells["split"]] = counts.get(cells["split"], -1) + 1
        cells["family"] = f"{cells['split']}{at // 5}"
    write_table(project / "metadata.csv", rows)
    return rows


def test_a_group_that_straddles_is_told_named_or_not(project: Path) -> None:
    rows = with_families(project)
    assert not problems_of(project)
    row = next(r for r, cells in enumerate(rows) if cells["family"] == "train3")
    changed(project, {row: {"split": "test"}})
    for experiment in (small_experiment(), small_experiment({"data.group": "family"})):
        [found] = [p for p in problems_of(project, experiment) if p.kind == "straddling_group"]
        assert (found.row, found.rows, found.column) == (row, (row,), "family")
        assert found.detail == {"group": "family"}


def test_a_column_that_the_split_never_kept_together_is_told_when_named_only(
    project: Path,
) -> None:
    rows = read_rows(project)
    write_table(project / "metadata.csv",
                [r | {"speaker": f"s{i % 20}"} for i, r in enumerate(rows)])
    assert not problems_of(project)
    named = problems_of(project, small_experiment({"data.group": "speaker"}))
    assert {p.kind for p in named} == {"straddling_group"}


def test_texts_that_hold_their_label_are_told_by_class(project: Path) -> None:
    rows = read_rows(project)
    write_table(project / "metadata.csv", [
        r | {"text": r["text"] and f"{r['text']}, a Dot!"} if r["shape"] == "dot" else r
        for r in rows])
    [found] = problems_of(project)
    assert (found.kind, found.column) == ("text_holds_label", "text")
    assert len(found.rows) > 30 and "'dot'" in found.message


def test_a_word_that_every_class_uses_gives_nothing_away(project: Path) -> None:
    rows = read_rows(project)
    write_table(project / "metadata.csv",
                [r | {"text": r["text"] and f"{r['text']} dot"} for r in rows])
    assert not problems_of(project)


def renamed(project: Path, rows: list[int], name: str) -> None:
    """Rename the rows' pictures; ``name`` may hold ``{shape}`` and ``{row}``."""
    table = read_rows(project)
    for row in rows:
        after = "images/" + name.format(row=row, **table[row])
        (project / table[row]["file_name"]).rename(project / after)
        table[row]["file_name"] = after
    write_table(project / "metadata.csv", table)


def test_file_names_that_hold_the_label_are_told_by_row(project: Path) -> None:
    rows = of_split(project, "train", "file_name")[:6]
    renamed(project, rows, "{row}_{shape}.png")
    assert by_row(problems_of(project)) == {(r, "name_holds_label") for r in rows}


def test_names_that_all_hold_the_label_are_one_problem(project: Path) -> None:
    rows = [r for r, cells in enumerate(read_rows(project)) if cells["file_name"]]
    renamed(project, rows, "{shape}-{row}.png")
    [found] = problems_of(project)
    assert (found.row, found.kind, len(found.rows)) == (-1, "name_holds_label", len(rows))


def test_names_that_hold_any_label_by_chance_are_not_told(project: Path) -> None:
    rows = of_split(project, "train", "file_name")[:9]
    renamed(project, rows, "{row} dot.png")
    assert not problems_of(project)


def wav(samples: int) -> bytes:
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).normal(size=samples) * 0.1
    soundfile.write(buffer, noise, RATE_HZ, format="WAV")
    return buffer.getvalue()


@pytest.mark.parametrize(("content", "kind", "said"), [
    (wav(4000)[:3000], "truncated", "3,000 of 8,044 bytes"),
    (b"RIFF", "unreadable", "not a sound"),
    (b"", "unreadable", "0 bytes"),
])
def test_files_are_told_with_what_is_wrong(
    project: Path, content: bytes, kind: str, said: str
) -> None:
    row = of_split(project, "train", "audio")[0]
    (project / read_rows(project)[row]["audio"]).write_bytes(content)
    [found] = problems_of(project)
    assert (found.row, found.kind) == (row, kind)
    assert said in found.message and found.hint


def test_a_file_named_otherwise_than_it_is_is_told(project: Path) -> None:
    row = of_split(project, "train", "file_name")[0]
    with Image.open(project / read_rows(project)[row]["file_name"]) as picture:
        picture.save(project / "images/odd.jpg", "PNG")
    changed(project, {row: {"file_name": "images/odd.jpg"}})
    [found] = problems_of(project)
    assert (found.kind, found.row) == ("wrong_suffix", row) and "holds PNG" in found.message


def test_nothing_stands_still_where_an_input_cannot_be_learnt(project: Path) -> None:
    rows = of_split(project, "train", "audio")
    for row in range(120):
        if name := read_rows(project)[row]["audio"]:
            (project / name).write_bytes(b"")
    problems = problems_of(project)
    assert [p.kind for p in problems if p.row < 0] == ["table"]
    assert {p.row for p in problems if p.kind == "unreadable"} >= set(rows)


def test_the_report_lists_rows_and_what_can_be_done(project: Path) -> None:
    row = of_split(project, "train", "audio")[0]
    (project / read_rows(project)[row]["audio"]).write_bytes(b"")
    *_, report = check(small_experiment(), project)
    data: dict[str, Any] = report.to_json()  # type: ignore[union-attr]
    assert data["problems"][0]["rows"] == [row]
    assert data["problems"][0]["mend"] == "leave_out"
    assert all(kind.title and kind.why for kind in KINDS.values())
    assert list(by_kind(report.problems)) == ["unreadable"]  # type: ignore[union-attr]


NEW = ("alpha", "beta", "gamma", "delta", "epsilon")


def with_new_words(project: Path, share: float, text: str = "{}") -> list[int]:
    """Put words that training lacks into this share of the other splits' texts; those rows."""
    rows = [*of_split(project, "validation", "text"), *of_split(project, "test", "text")]
    rows = rows[:round(share * len(rows))]
    changed(project, {r: {"text": text.format(" ".join(NEW))} for r in rows})
    return rows


def test_many_words_that_training_lacks_are_one_problem(project: Path) -> None:
    rows = with_new_words(project, 0.5)
    [found] = problems_of(project)
    assert (found.row, found.kind, found.column) == (-1, "new_words", "text")
    assert sorted(found.rows) == sorted(rows)
    cells = read_rows(project)
    others = [r for split in ("validation", "test") for r in of_split(project, split, "text")]
    total = sum(len([w for w in cells[r]["text"].split() if not w.isdigit()]) for r in others)
    assert f"{100 * 5 * len(rows) / total:.0f} of 100 words" in found.message
    assert "as 'alpha', 'beta', 'gamma'." in found.message


def test_a_few_new_words_and_those_of_scripts_without_blanks_are_no_problem(project: Path) -> None:
    with_new_words(project, 0.1)
    assert not problems_of(project)
    with_new_words(project, 0.9, "\u56fe\u7247 \u58f0\u97f3 \u6587\u5b57")
    assert "new_words" not in {p.kind for p in problems_of(project)}


def test_a_published_encoder_knows_words_from_elsewhere(project: Path) -> None:
    with_new_words(project, 0.9)
    published = {"name": "pretrained_text", "model": str(tiny("bert"))}
    experiment = Experiment.from_dict(
        (data := small_experiment().to_dict())
        | {"inputs": data["inputs"] | {"words": data["inputs"]["words"] | {"encoder": published}}})
    assert "new_words" in {p.kind for p in problems_of(project)}
    assert "new_words" not in {p.kind for p in problems_of(project, completed(experiment))}


def test_keywords_of_emoji_hold_many_words_that_training_lacks(
    shared_data: Callable[[str], Path],
) -> None:
    experiment = Experiment.from_dict({
        "data": {"table": "metadata.csv", "split": "split"},
        "inputs": {"words": {"column": "text", "modality": "text"}},
        "targets": {"group": {"task": "classification"}}})
    [found] = [p for p in problems_of(shared_data("emoji"), completed(experiment))
               if p.kind == "new_words"]
    assert "33 of 100 words" in found.message


def numbers_examined(cells: list[str]) -> Examined:
    """A column that is an input of numbers and, under another name, what is predicted."""
    experiment = Experiment.from_dict({
        "data": {"table": "t.csv"}, "targets": {"y": {"task": "regression"}},
        "inputs": {"table": {"columns": ["x"], "modality": "tabular"}}})
    table = Table(Path("t.csv"), Path("."), pl.DataFrame({"x": cells, "y": cells}))
    splits = np.array(["train"] * (len(cells) - 1) + [""])
    content: Any = Input(experiment.inputs["table"], {"columns": [{"name": "x", "kind": "number"}]},
                         [], Any, None, np.zeros(0, bool))  # type: ignore[arg-type]
    return Examined(experiment, table, splits, {"table": content})


@pytest.mark.parametrize(("bad", "kinds"), [
    ("1e9", ("far_off_input", "far_off")), ("red", ("odd_cell", "no_number"))])
def test_very_many_cells_are_one_problem_and_are_read_once(
    bad: str, kinds: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, calls = np.nanquantile, []
    monkeypatch.setattr(np, "nanquantile", lambda *a: calls.append(1) or plain(*a))
    for many, told in ((201, 1), (200, 200)):
        cells = [str(i % 100) for i in range(6000)]
        cells[5 : 5 + many], cells[-1] = [bad] * many, bad  # the last one is in no split
        examined = numbers_examined(cells)
        for family, kind in ((cell_problems, kinds[0]), (label_problems, kinds[1])):
            calls.clear()
            found = [p for p in family(examined) if p.kind == kind]
            assert len(calls) == (bad == "1e9")
            assert len(found) == told
            assert sorted(r for p in found for r in p.rows) == list(range(5, 5 + many))
            if KINDS[kind].mend == "leave_out":
                assert sorted(r for p in found for r in p.out) == list(range(5, 5 + many))
        if told == 1:
            assert found[0].row == -1
            assert found[0].message.startswith("201 rows are like row 6: ")
