"""The first guess at a table's columns."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mmstudio.data.propose import Column, experiment_from_columns, propose_columns
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
    assert found["split"] == ("split", None)
    assert found["split_speaker"] == ("ignore", None)
    assert found["speaker"] == ("group", None)


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
    assert experiment.data.split == SplitShares()


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
