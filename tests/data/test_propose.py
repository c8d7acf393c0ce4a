"""The first guess at a table's columns."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from mmstudio.data.columns import Column
from mmstudio.data.propose import experiment_from_columns, propose_columns
from mmstudio.data.table import read_table
from mmstudio.errors import UserError
from mmstudio.experiment import SplitShares
from tests.small_project import write_small_project, write_table


def roles(columns: list[Column]) -> dict[str, tuple[str, str | None]]:
    return {c.name: (c.role, c.modality or c.task) for c in columns}


def test_the_small_project_is_understood(tmp_path: Path) -> None:
    folder = write_small_project(tmp_path / "p")
    columns = propose_columns(read_table(folder / "metadata.csv"))
    assert roles(columns) == {
        "file_name": ("input", "image"), "audio": ("input", "audio"), "text": ("input", "text"),
        "shape": ("target", "classification"), "size": ("target", "classification"),
        "split": ("split", None),
    }
    size = next(c for c in columns if c.name == "size")
    assert (size.distinct, size.missing) == (2, 6)
    assert set(size.examples) == {"big", "small"}
    experiment = experiment_from_columns("metadata.csv", columns)
    assert {n: i.column for n, i in experiment.inputs.items()} == {
        "image": "file_name", "audio": "audio", "text": "text"}
    assert experiment.data.split == "split"


def test_spoken_digits_are_understood(shared_data: Callable[[str], Path]) -> None:
    table = read_table(shared_data("avdigits") / "metadata.csv")
    found = roles(propose_columns(table))
    assert found["file_name"] == ("input", "image")
    assert found["audio"] == ("input", "audio")
    assert found["text"] == ("input", "text")
    assert found["digit"] == ("target", "classification")
    assert found["split_speaker"] == ("split", None)
    assert found["split"] == ("ignore", None)
    assert found["speaker"] == ("group", None)
    reasons = {c.name: c.reason for c in propose_columns(table)}
    assert "6 of 6 values of 'speaker' are in several parts" in reasons["split"]
    assert "Keeps all rows of one 'speaker' in one part" in reasons["split_speaker"]


def test_emoji_are_understood(shared_data: Callable[[str], Path]) -> None:
    table = read_table(shared_data("emoji") / "metadata.csv")
    found = roles(propose_columns(table))
    assert found == {
        "file_name": ("input", "image"), "text": ("input", "text"),
        "group": ("target", "classification"), "subgroup": ("target", "classification"),
        "split": ("split", None),
    }


def test_class_folders_are_understood(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for i in range(6):
            (tmp_path / name / f"{i}.png").write_bytes(b"x")
    found = propose_columns(read_table(tmp_path))
    assert roles(found) == {"file_name": ("input", "image"),
                            "label": ("target", "classification")}
    experiment = experiment_from_columns(".", found)
    assert list(experiment.inputs) == ["image"]
    assert experiment.data.split == SplitShares(stratify="label")


def test_a_group_keeps_its_rows_together(tmp_path: Path) -> None:
    write_table(tmp_path / "t.csv", [
        {"id": str(i), "picture": f"{i}.png", "speaker": f"s{i % 5}", "label": "ab"[i % 2],
         "empty": ""} for i in range(40)])
    columns = propose_columns(read_table(tmp_path / "t.csv"))
    assert roles(columns)["id"] == roles(columns)["empty"] == ("ignore", None)
    experiment = experiment_from_columns("t.csv", columns)
    assert experiment.data.split == SplitShares(group="speaker")
    assert list(experiment.inputs) == ["picture"]


def test_a_target_called_loss_gets_another_name(tmp_path: Path) -> None:
    write_table(tmp_path / "t.csv", [
        {"file_name": f"{i}.png", "loss": "ab"[i % 2]} for i in range(40)])
    experiment = experiment_from_columns("t.csv", propose_columns(read_table(tmp_path / "t.csv")))
    assert [t.column for t in experiment.targets.values()] == ["loss"]


def test_without_input_or_target_it_says_what_to_mark() -> None:
    target = Column("label", "target", None, "classification", 2, 0, ())
    picture = Column("file", "input", "image", None, 2, 0, ())
    with pytest.raises(UserError, match="Mark at least one column as an input"):
        experiment_from_columns("t.csv", [target])
    with pytest.raises(UserError, match="Mark at least one as a target"):
        experiment_from_columns("t.csv", [picture])


def proposed(tmp_path: Path, columns: dict[str, list[str]]) -> dict[str, Column]:
    rows = [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
    write_table(tmp_path / "t.csv", rows)
    return {c.name: c for c in propose_columns(read_table(tmp_path / "t.csv"))}


PICTURES = [f"{i}.png" for i in range(60)]


@pytest.mark.parametrize(("parts", "separator"), [
    (["red|round", "blue", "red|flat|soft", "round"], "|"),
    (["red, round", "blue", "red, flat, soft", "round"], ", "),
    (["red;round", "", "red;flat;soft", "round"], ";"),
])
def test_several_labels_in_a_cell_are_found(
    parts: list[str], separator: str, tmp_path: Path
) -> None:
    found = proposed(tmp_path, {"file": PICTURES, "marks": parts * 15})
    assert (found["marks"].role, found["marks"].task) == ("target", "multilabel")
    assert found["marks"].options == {"separator": separator}
    assert "Several labels" in found["marks"].reason


def test_sentences_with_commas_are_texts(tmp_path: Path) -> None:
    found = proposed(tmp_path, {
        "file": PICTURES, "said": [f"well, number {i}, you know" for i in range(60)],
        "label": ["a", "b"] * 30})
    assert (found["said"].role, found["said"].modality) == ("input", "text")


def test_numbers_are_measured_or_counted(tmp_path: Path) -> None:
    found = proposed(tmp_path, {
        "file": PICTURES, "age": [str(20 + i * 7 % 53) for i in range(60)],
        "length": [f"{i / 7:.3f}" for i in range(60)], "stars": [str(i % 5) for i in range(60)]})
    assert {n: found[n].task for n in ("age", "length", "stars")} == {
        "age": "regression", "length": None, "stars": "classification"}
    assert "Could be predicted too" in found["length"].reason
    alone = proposed(tmp_path, {"file": PICTURES, "length": [f"{i / 7:.3f}" for i in range(60)]})
    assert alone["length"].task == "regression"


def test_ids_constants_and_dates_are_left_alone(tmp_path: Path) -> None:
    found = proposed(tmp_path, {
        "image_id": [f"x{i * 37 % 61:03d}f" for i in range(60)],
        "count": [str(i) for i in range(60)],
        "hash": [f"{i * 7919 % 9973:04x}ab" for i in range(60)], "source": ["web"] * 60,
        "taken": [f"2024-01-{1 + i % 28:02d}" for i in range(60)], "file": PICTURES,
        "url": [f"https://example.org/{i}.png" for i in range(60)], "label": ["a", "b"] * 30})
    assert {n for n, c in found.items() if c.role == "ignore"} == {
        "image_id", "count", "hash", "source", "taken", "url"}
    assert all(c.reason for c in found.values())


def test_of_two_columns_that_say_the_same_the_words_are_predicted(tmp_path: Path) -> None:
    found = proposed(tmp_path, {"label_id": ["0", "1", "2"] * 20, "file": PICTURES,
                                "label": ["cat", "dog", "eel"] * 20})
    assert (found["label"].role, found["label_id"].role) == ("target", "ignore")
    assert "Says the same as 'label'" in found["label_id"].reason


def test_a_group_is_found_by_its_name_only_where_it_repeats(tmp_path: Path) -> None:
    found = proposed(tmp_path, {
        "file": PICTURES, "patientId": [f"p{i % 12}" for i in range(60)],
        "session": [f"s{i % 20}" for i in range(60)], "user": [f"u{i}" for i in range(60)],
        "label": ["a", "b"] * 30})
    assert [n for n, c in found.items() if c.role == "group"] == ["patientId"]


def test_a_group_is_found_by_what_it_holds(tmp_path: Path) -> None:
    codes = [f"P{i % 25:03d}" for i in range(60)]
    found = proposed(tmp_path, {"file": PICTURES, "who": codes, "label": ["a", "b"] * 30})
    assert found["who"].role == "group" and "P000" in found["who"].reason
    found = proposed(tmp_path, {"file": PICTURES, "rec_id": [c[1:] for c in codes],
                                "label": ["a", "b"] * 30})
    assert found["rec_id"].role == "group"


def test_quoted_decimal_commas_are_no_labels(tmp_path: Path) -> None:
    found = proposed(tmp_path, {"file": PICTURES, "size": [f"{i % 7},{i % 9}" for i in range(60)],
                                "label": ["a", "b"] * 30})
    assert found["size"].role == "ignore" and "comma" in found["size"].reason


def test_the_content_of_files_counts_more_than_their_names(tmp_path: Path) -> None:
    for i in range(60):
        (tmp_path / f"{i}.png").write_bytes(b"RIFF\0\0\0\0WAVEfmt ")
        (tmp_path / f"raw{i}").write_bytes(b"\xff\xd8\xff\xe0")
    found = proposed(tmp_path, {"file": PICTURES, "other": [f"./raw{i}" for i in range(60)],
                                "label": ["a", "b"] * 30})
    assert found["file"].modality == "audio" and "by their content" in found["file"].reason
    assert found["other"].modality == "image"


def test_missing_files_are_told(tmp_path: Path) -> None:
    found = proposed(tmp_path, {"file": PICTURES, "label": ["a", "b"] * 30})
    assert "60 of the first 60 are missing" in found["file"].reason


ANIMALS = [("cat", "dog")[i % 2] for i in range(80)]
SAID = [f"some words about animal {i}" for i in range(80)]


def test_numbers_and_categories_beside_a_text_make_one_input(tmp_path: Path) -> None:
    chance = random.Random(0)
    found = proposed(tmp_path, {
        "said": SAID, "label": ANIMALS,
        "income": [f"{chance.gauss(5, 1):.3f}" for _ in range(80)],
        "floor": [str(chance.randrange(4)) for _ in range(80)],
        "likes": [str(chance.randrange(50)) for _ in range(80)],
        "duration": [f"{chance.random():.3f}" for _ in range(80)],
        "confidence": [f"{chance.random():.3f}" for _ in range(80)],
        "leak": [f"{(2 if a == 'cat' else 4) + chance.random():.3f}" for a in ANIMALS],
        "code": ["A7" if a == "cat" else "B9" for a in ANIMALS],
        "row_id": [f"r{i * 37 % 83}" for i in range(80)]})
    assert [n for n, c in found.items() if c.modality == "tabular"] == ["income", "floor"]
    assert "part of one input" in found["income"].reason
    experiment = experiment_from_columns("t.csv", list(found.values()))
    assert experiment.inputs["table"].columns == ("income", "floor")
    assert experiment.inputs["table"].encoder.name == "auto"
    assert list(experiment.inputs) == ["said", "table"]


def test_a_table_alone_is_learnt_from(tmp_path: Path) -> None:
    chance = random.Random(0)
    found = proposed(tmp_path, {
        "id": [f"p{i}" for i in range(80)], "age": [str(20 + i * 7 % 53) for i in range(80)],
        "petal_length": [f"{chance.random():.3f}" for _ in range(80)],
        "town": [chance.choice(["Rome", "Oslo", "Lima"]) for _ in range(80)],
        "smoker": [chance.choice(["yes", "no"]) for _ in range(80)],
        "species": [chance.choice("abc") for _ in range(80)]})
    assert [n for n, c in found.items() if c.modality == "tabular"] == [
        "age", "petal_length", "town", "smoker"]
    assert (found["species"].role, found["species"].task) == ("target", "classification")
    assert "last column" in found["species"].reason
    named = proposed(tmp_path, {
        "label": [chance.choice(["x", "y"]) for _ in range(80)],
        "table": [f"{chance.random():.3f}" for _ in range(80)],
        "town": [chance.choice(["Rome", "Oslo", "Lima"]) for _ in range(80)]})
    assert [n for n, c in named.items() if c.role == "target"] == ["label"]
    experiment = experiment_from_columns("t.csv", list(named.values()))
    assert list(experiment.inputs) == ["table 2"]  # a column has that name
