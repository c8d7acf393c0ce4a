"""Folders of media, read to rows: by split, by table, by modality, by class."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmstudio.data.folders import read_folder
from mmstudio.data.propose import propose_columns
from mmstudio.data.table import Table, read_table
from mmstudio.errors import UserError


def fill(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")


def rows(table: Table) -> list[tuple[str | None, ...]]:
    return table.frame.rows()


def test_files_of_one_name_are_one_sample(tmp_path: Path) -> None:
    fill(tmp_path, "images/0001.png", "images/0002.jpg", "audio/0001.wav", "audio/0002.wav",
         "texts/0001.txt", "texts/0003.txt", "runs/first/best.png")
    table = read_folder(tmp_path)
    assert table.columns == ["id", "audio", "images", "texts"]
    assert rows(table) == [
        ("0001", "audio/0001.wav", "images/0001.png", "texts/0001.txt"),
        ("0002", "audio/0002.wav", "images/0002.jpg", None),
        ("0003", None, None, "texts/0003.txt")]
    assert {c.name: c.modality for c in propose_columns(table)} == {
        "id": None, "audio": "audio", "images": "image", "texts": "text"}


@pytest.mark.parametrize("cell", ["{}", "{}.png", "images/{}.png"])
def test_a_table_of_labels_stands_beside_the_files(cell: str, tmp_path: Path) -> None:
    fill(tmp_path, *(f"images/{i}.png" for i in range(4)), *(f"audio/{i}.wav" for i in range(4)))
    lines = [f"{cell.format(i)},{'ab'[i % 2]}" for i in (3, 1, 0, 9)]
    (tmp_path / "labels.csv").write_text("\n".join(["sample,label", *lines]))
    table = read_folder(tmp_path)
    if cell == "images/{}.png":
        assert table.columns == ["sample", "label"]  # it names the files itself
        return
    assert table.columns == ["id", "audio", "images", "label"]
    assert rows(table) == [
        ("3", "audio/3.wav", "images/3.png", "b"), ("1", "audio/1.wav", "images/1.png", "b"),
        ("0", "audio/0.wav", "images/0.png", "a"),
        (cell.format(9).removesuffix(".png"), None, None, "b"),
        ("2", "audio/2.wav", "images/2.png", None)]


def test_one_folder_and_its_labels(tmp_path: Path) -> None:
    fill(tmp_path, "photos/a.png", "photos/b.png")
    (tmp_path / "answers.tsv").write_text("name\tlabel\na\tyes\nb\tno\n")
    assert rows(read_folder(tmp_path)) == [
        ("a", "photos/a.png", "yes"), ("b", "photos/b.png", "no")]


def test_splits_with_classes_under_them(tmp_path: Path) -> None:
    fill(tmp_path, "train/cat/0.png", "train/dog/0.png", "val/cat/0.png", "test/dog/1.png")
    table = read_table(tmp_path)
    assert rows(table) == [
        ("train/cat/0.png", "cat", "train"), ("train/dog/0.png", "dog", "train"),
        ("val/cat/0.png", "cat", "validation"), ("test/dog/1.png", "dog", "test")]
    assert table.path_of(2, "file_name") == tmp_path / "val/cat/0.png"
    assert {c.name: c.role for c in propose_columns(table)}["split"] == "split"


def test_splits_with_metadata_in_each(tmp_path: Path) -> None:
    fill(tmp_path, "train/a.png", "train/a.wav", "test/b.png", "test/deep/b.wav")
    (tmp_path / "train/metadata.csv").write_text(
        "file_name,audio_file_name,label\na.png,a.wav,x\n")
    (tmp_path / "test/metadata.jsonl").write_text(
        '{"file_name": "b.png", "audio_file_name": "deep/b.wav", "label": "y", "more": 1}\n')
    table = read_folder(tmp_path)
    assert table.columns == ["file_name", "audio_file_name", "label", "more", "split"]
    assert rows(table) == [("train/a.png", "train/a.wav", "x", None, "train"),
                           ("test/b.png", "test/deep/b.wav", "y", "1", "test")]


def test_metadata_above_the_splits_tells_them_by_its_paths(tmp_path: Path) -> None:
    fill(tmp_path, "train/a.png", "test/b.png")
    (tmp_path / "metadata.csv").write_text("file_name,label\ntrain/a.png,x\ntest/b.png,y\n")
    assert rows(read_folder(tmp_path)) == [
        ("train/a.png", "x", "train"), ("test/b.png", "y", "test")]


def test_folders_per_modality_inside_splits(tmp_path: Path) -> None:
    fill(tmp_path, "train/images/0.png", "train/audio/0.wav", "test/images/0.png",
         "test/audio/0.wav")
    assert rows(read_folder(tmp_path)) == [
        ("0", "train/audio/0.wav", "train/images/0.png", "train"),
        ("0", "test/audio/0.wav", "test/images/0.png", "test")]


def test_classes_called_like_splits_are_classes(tmp_path: Path) -> None:
    fill(tmp_path, "train/0.png", "bus/0.png", "car/0.png")
    assert read_folder(tmp_path).column("label").to_list() == ["bus", "car", "train"]


def test_equal_names_in_class_folders_are_different_samples(tmp_path: Path) -> None:
    fill(tmp_path, "cat/0.png", "cat/1.png", "dog/0.png", "dog/1.png")
    assert rows(read_folder(tmp_path))[2] == ("dog/0.png", "dog")


def test_class_folders_with_two_files_per_sample(tmp_path: Path) -> None:
    fill(tmp_path, "cat/0.png", "cat/0.wav", "dog/0.png", "dog/0.wav", "dog/1.png", "dog/1.wav")
    table = read_folder(tmp_path)
    assert sorted(table.columns) == ["audio", "image", "label"]
    assert table.frame.select("audio", "image", "label").rows() == [
        ("cat/0.wav", "cat/0.png", "cat"), ("dog/0.wav", "dog/0.png", "dog"),
        ("dog/1.wav", "dog/1.png", "dog")]


def test_a_link_in_a_circle_ends(tmp_path: Path) -> None:
    fill(tmp_path, "cat/0.png", "dog/0.png")
    (tmp_path / "cat" / "loop").symlink_to(tmp_path)
    assert len(read_folder(tmp_path)) == 2


def test_an_empty_folder_says_what_it_needs(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="one sub-folder per class"):
        read_folder(tmp_path)
    fill(tmp_path, "metadata.csv")
    with pytest.raises(UserError, match=r"metadata\.csv"):
        read_folder(tmp_path)


def test_a_stray_file_in_a_class_folder_is_no_sample_and_is_told(tmp_path: Path) -> None:
    fill(tmp_path, "3/a.png", "3/b.png", "7/a.png", "3/notes.md")
    table = read_table(tmp_path)
    assert rows(table) == [("3/a.png", "3"), ("3/b.png", "3"), ("7/a.png", "7")]
    assert table.notes == ("1 of 4 files is left out, as only pictures are read: 3/notes.md.",)


def test_strays_beside_pairs_make_no_column_of_their_own(tmp_path: Path) -> None:
    fill(tmp_path, *(f"{label}/{i}.{kind}" for label in ("cat", "dog") for i in range(6)
                     for kind in ("png", "wav")), "cat/README.md")
    table = read_folder(tmp_path)
    assert sorted(table.columns) == ["audio", "image", "label"]
    assert len(table) == 12
    note, = table.notes
    assert "cat/README.md" in note and "as only sounds and pictures are read" in note


def test_files_of_one_name_in_one_folder_are_one_sample(tmp_path: Path) -> None:
    fill(tmp_path, *(f"cat_{i}.{end}" for i in range(4) for end in ("png", "txt")),
         *(f"dog_{i}.{end}" for i in range(4, 8) for end in ("png", "txt")), "dog_8.png")
    table = read_folder(tmp_path)
    assert table.columns == ["file_name", "text", "name part 1", "name part 2"]
    assert rows(table)[0] == ("cat_0.png", "cat_0.txt", "cat", "0")
    assert rows(table)[-1] == ("dog_8.png", None, "dog", "8")
    assert "Files of one name are one sample: image, text." in table.notes
    assert {c.name: (c.role, c.modality) for c in propose_columns(table)}["text"] == (
        "input", "text")


def test_a_few_texts_beside_pictures_are_no_samples(tmp_path: Path) -> None:
    fill(tmp_path, *(f"{i}.png" for i in range(8)), *(f"{i}.txt" for i in range(3)))
    table = read_folder(tmp_path)
    assert table.columns == ["file_name"] and len(table) == 8
    assert "3 of 11 files are left out, as only pictures are read." in table.notes
