"""Folders with tables in them: which one the rows come from, and what is left aside and told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mmstudio.data.table import Table, read_table
from mmstudio.errors import UserError
from mmstudio.experiment import Experiment
from mmstudio.project.proposal import propose, tables_of, write_project


def fill(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


def write(path: Path, *lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def used(folder: Path) -> dict[str, str]:
    return {c.name: c.modality or c.task or c.role for c in propose(folder).columns
            if c.role != "ignore"}


def told(table: Table) -> str:
    return " ".join(table.notes)


def test_a_table_beside_its_pictures_wins_over_the_folders_names(tmp_path: Path) -> None:
    fill(tmp_path, *(f"train_images/{i}.png" for i in range(12)),
         *(f"test_images/{i}.png" for i in range(5)))
    write(tmp_path / "train.csv", "image,label", *(f"{i}.png,{'ab'[i % 2]}" for i in range(12)))
    write(tmp_path / "test.csv", "image", *(f"{i}.png" for i in range(5)))
    write(tmp_path / "sample_submission.csv", "image,label", *(f"{i}.png,a" for i in range(5)))
    table = read_table(tmp_path)
    assert (table.path, len(table)) == (tmp_path / "train.csv", 12)
    assert table.path_of(3, "image") == tmp_path / "train_images/3.png"
    assert "test.csv is left aside (it has no 'label')" in told(table)
    assert used(tmp_path) == {"image": "image", "label": "classification"}


def test_tables_of_two_picture_folders_are_the_split(tmp_path: Path) -> None:
    for part, count in (("train", 12), ("test", 6)):
        fill(tmp_path, *(f"{part}_images/{i}.png" for i in range(count)))
        write(tmp_path / f"{part}.csv", "image,label",
              *(f"{i}.png,{'ab'[i % 2]}" for i in range(count)))
    table = read_table(tmp_path)
    assert table.column("split").to_list() == ["train"] * 12 + ["test"] * 6
    assert table.path_of(0, "image") == tmp_path / "train_images/0.png"
    assert table.path_of(12, "image") == tmp_path / "test_images/0.png"
    assert "Several tables are the split: train: train.csv; test: test.csv." in told(table)


def test_splits_in_tables_of_which_one_has_no_labels(tmp_path: Path) -> None:
    number = 0
    for name, count in (("train", 12), ("dev", 4), ("test", 3)):
        lines = []
        for _ in range(count):
            fill(tmp_path, f"img/{number:05d}.png")
            row = {"id": number, "img": f"img/{number:05d}.png", "label": number % 2,
                   "text": f"some words {number} of {number * 7}"}
            if name == "test":
                del row["label"]
            lines.append(json.dumps(row))
            number += 1
        write(tmp_path / f"{name}.jsonl", *lines)
    table = read_table(tmp_path)
    assert table.column("split").to_list() == ["train"] * 12 + ["validation"] * 4 + ["test"] * 3
    assert "The 3 rows of test.jsonl have no 'label'." in told(table)
    assert table.column("id").to_list()[5] == "5"
    assert used(tmp_path) == {"img": "image", "label": "classification", "text": "text",
                              "split": "split"}


def test_ids_beside_a_folder_called_train(tmp_path: Path) -> None:
    fill(tmp_path, *(f"train/{i:06d}.png" for i in range(8)), "test/000099.png")
    write(tmp_path / "labels.csv", "id,label", *(f"{i:06d},{i % 2}" for i in range(8)))
    table = read_table(tmp_path)
    assert len(table) == 8 and table.path_of(1, "id") == tmp_path / "train/000001.png"
    assert used(tmp_path) == {"id": "image", "label": "classification"}


def test_a_table_in_a_folder_of_its_own(tmp_path: Path) -> None:
    fill(tmp_path, *(f"audio/fold{i % 2}/{i}.wav" for i in range(8)))
    write(tmp_path / "metadata" / "t.csv", "name,class",
          *(f"{i}.wav,{('siren', 'horn')[i % 2]}" for i in range(8)))
    table = read_table(tmp_path)
    assert table.path == tmp_path / "metadata/t.csv"
    assert table.path_of(3, "name") == tmp_path / "audio/fold1/3.wav"
    assert used(tmp_path) == {"name": "audio", "class": "classification"}


def test_a_table_that_names_no_file_is_left_aside_and_told(tmp_path: Path) -> None:
    fill(tmp_path, *(f"{c}/{i}.png" for c in ("cat", "dog") for i in range(4)))
    write(tmp_path / "colours.csv", "animal,colour", "cat,grey", "dog,brown")
    table = read_table(tmp_path)
    assert table.columns == ["file_name", "label"]
    assert "colours.csv is left aside" in told(table)


def test_several_tables_of_texts_without_a_choice_are_asked_for(tmp_path: Path) -> None:
    for name in ("films", "books"):
        write(tmp_path / f"{name}.csv", "text,label", *(f"some words {i},a" for i in range(4)))
    with pytest.raises(UserError, match=r"several tables: books\.csv and films\.csv"):
        read_table(tmp_path)
    for name in ("train", "test"):
        write(tmp_path / f"{name}.csv", "text,label",
              *(f"some words {name} {i},{'ab'[i % 2]}" for i in range(4)))
    table = read_table(tmp_path)
    assert table.column("split").to_list() == ["train"] * 4 + ["test"] * 4
    assert "books.csv and films.csv are left aside" in told(table)


def test_a_flat_folder_is_an_unlabelled_set(tmp_path: Path) -> None:
    fill(tmp_path, "a.png", "b.png", "more/c.png", "README.md")
    table = read_table(tmp_path)
    assert table.columns == ["file_name"]
    assert table.column("file_name").to_list() == ["a.png", "b.png", "more/c.png"]
    assert "a set without labels" in told(table)


def test_names_in_parts_tell_labels(tmp_path: Path) -> None:
    fill(tmp_path, *(f"AudioWAV/{1001 + i % 25}_{('DFA', 'IEO')[i % 2]}_{('ANG', 'SAD')[i // 25]}"
                     f"_{i:02d}.wav" for i in range(50)))
    found = used(tmp_path)
    assert found["file_name"] == "audio"
    assert found["name part 1 (id)"] == "group"
    assert found["name part 3"] == "classification"


def test_nested_folders_are_classes_all_the_way_down(tmp_path: Path) -> None:
    fill(tmp_path, *(f"train/{c}/{i}.jpg" for c in ("a/attic", "a/arena/hockey", "b/bar")
                     for i in range(3)), *(f"val/{c}/9.jpg" for c in ("a/attic", "b/bar")))
    table = read_table(tmp_path)
    assert set(table.column("label")) == {"a/attic", "a/arena/hockey", "b/bar"}
    assert table.column("split").value_counts().sort("split")["count"].to_list() == [9, 2]


def test_lists_of_files_are_a_split(tmp_path: Path) -> None:
    fill(tmp_path, *(f"{c}/{i:03d}_nohash_0.wav" for c in ("yes", "no") for i in range(10)),
         "_background_noise_/running_tap.wav")
    write(tmp_path / "validation_list.txt", "yes/003_nohash_0.wav", "no/004_nohash_0.wav")
    write(tmp_path / "testing_list.txt", "yes/007_nohash_0.wav")
    table = read_table(tmp_path)
    assert len(table) == 20 and set(table.column("label")) == {"yes", "no"}
    assert table.column("split").value_counts().sort("split").rows() == [
        ("test", 1), ("train", 17), ("validation", 2)]
    assert "_background_noise_: left aside" in told(table)


def test_what_systems_leave_behind_is_passed_over_at_any_depth(tmp_path: Path) -> None:
    fill(tmp_path, *(f"{c}/{i}.jpg" for c in "ab" for i in range(4)),
         *(f"{c}/@eaDir/{i}.jpg/SYNOPHOTO_THUMB_M.jpg" for c in "ab" for i in range(4)),
         "@eaDir/x.jpg", "#recycle/x.jpg", "$RECYCLE.BIN/x.jpg", "a/__MACOSX/x.jpg")
    assert len(read_table(tmp_path)) == 8


def test_the_project_reads_the_same_rows_again(tmp_path: Path) -> None:
    from mmstudio.project.proposal import write_project

    fill(tmp_path, *(f"data/img/{i}.png" for i in range(12)))
    for part, rows in (("train", range(8)), ("val", range(8, 12))):
        write(tmp_path / "data" / f"{part}.csv", "img,label",
              *(f"{i}.png,{'ab'[i % 2]}" for i in rows))
    proposal = propose(tmp_path / "data")
    experiment = Experiment.load(write_project(tmp_path / "p", proposal))
    again = read_table(tmp_path / "p" / experiment.data.table)
    assert again.frame.equals(proposal.table.frame)


def two_tables(folder: Path) -> Path:
    write(folder / "films.csv", "plot,genre", *(f"a film of {i},{'ab'[i % 2]}" for i in range(12)))
    write(folder / "more" / "books.csv", "blurb,kind",
          *(f"a book of {i},{'xy'[i % 2]}" for i in range(9)))
    return folder


@pytest.mark.parametrize("name, target", [
    ("films.csv", "genre"), ("more/books.csv", "kind"), ("books.csv", "kind")])
def test_one_of_several_tables_can_be_chosen(name: str, target: str, tmp_path: Path) -> None:
    folder = two_tables(tmp_path)
    assert tables_of(folder) == ["films.csv", "more/books.csv"]
    proposal = propose(folder, table_name=name)
    assert proposal.table.path.name == Path(name).name
    experiment = Experiment.load(write_project(tmp_path / "p", proposal))
    assert list(experiment.targets) == [target]
    assert experiment.data.table.endswith(Path(name).name)


def test_a_table_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    folder = two_tables(tmp_path)
    with pytest.raises(UserError, match=r"--table NAME"):
        propose(folder)
    with pytest.raises(UserError, match=r"Did you mean 'films.csv'\?.*more/books.csv"):
        propose(folder, table_name="film.csv")
    with pytest.raises(UserError, match="not a folder"):
        propose(folder / "films.csv", table_name="films.csv")
    with pytest.raises(UserError, match=r"no table '\.\./films\.csv'"):
        propose(folder / "more", table_name="../films.csv")
    assert tables_of(folder / "films.csv") == tables_of(folder / "more") == []
