"""Where the files of a column lie: cells that nearly match, and the rule that is learnt of them."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import polars as pl
import pytest

from mmstudio.data.places import Places, as_written, learnt, parts_of
from mmstudio.data.propose import experiment_from_columns, propose_columns
from mmstudio.data.schema import values_of
from mmstudio.data.table import Table, read_table
from mmstudio.errors import UserError
from mmstudio.modalities.base import readable_file


def fill(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


def rule(folder: Path, cells: list[str], **more: str) -> Places:
    return learnt(pl.Series("file", cells), folder, **more)  # type: ignore[arg-type]


NUMBERS = range(7, 27)


@pytest.mark.parametrize(("files", "cell"), [
    ("pictures/{:04d}.png", "pictures/{:04d}.png"),
    ("pictures/{:04d}.png", "{:04d}.png"),
    ("pictures/{:04d}.png", "{:04d}"),
    ("pictures/{:04d}.png", "{}"),
    ("pictures/{:04d}.png", "pictures\\{:04d}.png"),
    ("pictures/{:04d}.png", "D:\\data\\mine\\pictures\\{:04d}.png"),
    ("pictures/{:04d}.png", "/mnt/server/share/pictures/{:04d}.png"),
    ("pictures/{:04d}.png", "pictures//{:04d}.png"),
    ("pictures/{:04d}.png", "./{:04d}.png"),
    ("pictures/{:04d}.PNG", "Pictures/{:04d}.png"),
    ("pictures/{:04d}.jpg", "{:04d}.png"),
    ("pictures/{:04d}.png", "https://example.org/set/{:04d}.png?size=3"),
    ("pictures/{:04d}.png", "http://localhost:8080/data/local-files/?d=set/pictures/{:04d}.png"),
    ("pictures/{:04d}.png", "/data/upload/1/{:04d}.png"),
    ("pictures/a b {:04d}.png", "https://example.org/a%20b%20{:04d}.png"),
    ("pictures/a/deep/{:04d}.png", "{:04d}.png"),
])
def test_names_that_nearly_match_are_found(files: str, cell: str, tmp_path: Path) -> None:
    fill(tmp_path, *(files.format(i) for i in NUMBERS))
    places = rule(tmp_path, [cell.format(i) for i in NUMBERS])
    assert places.share == 1
    assert [places.path(cell.format(i)) for i in NUMBERS] == [
        tmp_path / files.format(i) if "//" not in cell or "http" in cell
        else tmp_path / cell.format(i) for i in NUMBERS]


def test_composed_and_decomposed_letters_are_the_same(tmp_path: Path) -> None:
    name = "Zoë {}.wav"
    fill(tmp_path, *(unicodedata.normalize("NFD", name.format(i)) for i in NUMBERS))
    cells = [unicodedata.normalize("NFC", name.format(i)) for i in NUMBERS]
    places = rule(tmp_path, cells)
    assert all(places.path(cell).exists() for cell in cells)


def test_files_in_several_folders_are_found_by_their_names(tmp_path: Path) -> None:
    (tmp_path / "metadata").mkdir()
    fill(tmp_path, *(f"audio/fold{i % 3}/{i}.wav" for i in NUMBERS))
    places = rule(tmp_path / "metadata", [f"{i}.wav" for i in NUMBERS])
    assert places.path("8.wav") == tmp_path / "audio/fold2/8.wav"
    assert places.told() == "they lie in ../audio/"


def test_a_name_that_two_files_have_is_not_guessed(tmp_path: Path) -> None:
    fill(tmp_path, *(f"{part}_images/{i}.png" for part in ("train", "test") for i in NUMBERS))
    assert rule(tmp_path, [f"{i}.png" for i in NUMBERS]).share == 0
    places = rule(tmp_path, [f"{i}.png" for i in NUMBERS], split="train")
    assert places.path("9.png") == tmp_path / "train_images/9.png"


def test_where_most_are_there_the_others_are_missing(tmp_path: Path) -> None:
    fill(tmp_path, *(f"images/{i}.png" for i in NUMBERS), "elsewhere/99.png")
    places = rule(tmp_path, [*(f"images\\{i}.png" for i in NUMBERS), "C:\\x\\elsewhere\\99.png"])
    assert not places.moved
    assert places.path("images\\8.png") == tmp_path / "images/8.png"
    assert not places.path("C:\\x\\elsewhere\\99.png").exists()


def test_a_rule_does_not_find_other_files_of_the_same_name(tmp_path: Path) -> None:
    fill(tmp_path, *(f"set/a/{i}.png" for i in NUMBERS))
    places = rule(tmp_path, [f"a/{i}.png" for i in NUMBERS])
    assert places.path("a/9.png") == tmp_path / "set/a/9.png"
    assert not places.path("b/9.png").exists()


def test_folders_beside_a_table_of_downloads_are_not_its(tmp_path: Path) -> None:
    (tmp_path / "downloads").mkdir()
    fill(tmp_path, *(f"holiday in Rome/{i}.png" for i in NUMBERS))
    assert rule(tmp_path / "downloads", [f"{i}.png" for i in NUMBERS]).share == 0
    assert rule(tmp_path / "downloads", [str(i) for i in NUMBERS]).kind is None


def test_words_and_labels_are_no_names_of_files(tmp_path: Path) -> None:
    fill(tmp_path, *(f"pictures/{i}.png" for i in range(10)))
    for cells in (["3", "4"] * 50, ["0.5", "1.25", "7.5", "8.1"], ["a sentence of many words"]):
        assert rule(tmp_path, cells).share == 0


@pytest.mark.parametrize("cell", ["{0}_a.png;{0}_b.png", "{0}_a.png, {0}_b.png",
                                  "{0}_a.png|{0}_b.png"])
def test_of_several_files_in_a_cell_the_first_is_used_and_it_is_said(
    cell: str, tmp_path: Path
) -> None:
    fill(tmp_path, *(f"{i}_{part}.png" for i in NUMBERS for part in "ab"))
    lines = [f'"{cell.format(i)}",thing {i},{"xy"[i % 2]}' for i in NUMBERS]
    (tmp_path / "t.csv").write_text("\n".join(["images,title,kind", *lines]))
    table = read_table(tmp_path / "t.csv")
    column = propose_columns(table)[0]
    assert (column.role, column.modality) == ("input", "image")
    assert "several in a cell, up to 2" in column.reason and "the first one" in column.reason
    assert table.path_of(1, "images") == tmp_path / "8_a.png"


def test_the_experiment_says_where_the_files_are(tmp_path: Path) -> None:
    (tmp_path / "meta").mkdir()
    fill(tmp_path, *(f"audio/{i}.wav" for i in NUMBERS), *(f"other/{i}.wav" for i in NUMBERS))
    lines = [f"{i}.wav,{'ab'[i % 2]}" for i in NUMBERS]
    (tmp_path / "meta" / "t.csv").write_text("\n".join(["file,label", *lines]))
    table = read_table(tmp_path / "meta" / "t.csv")
    assert table.places("file").share == 0  # it may be either
    (tmp_path / "other" / "7.wav").unlink()
    table = read_table(tmp_path / "meta" / "t.csv")
    told = table.places("file", "../audio")
    assert told.path("7.wav") == tmp_path / "meta/../audio/7.wav"
    for i in NUMBERS:
        (tmp_path / "other" / f"{i}.wav").unlink(missing_ok=True)
    table = read_table(tmp_path / "meta" / "t.csv")
    columns = propose_columns(table)
    experiment = experiment_from_columns("t.csv", columns)
    assert experiment.inputs["audio"].folder == "../audio"
    assert experiment == type(experiment).parse(experiment.to_toml())
    values = values_of(table, experiment.inputs["audio"])
    assert [Path(str(v)).resolve() for v in values] == [
        tmp_path / f"audio/{i}.wav" for i in NUMBERS]


def test_another_tables_files_are_found_in_another_folder(tmp_path: Path) -> None:
    fill(tmp_path, *(f"train/{i:04d}.png" for i in NUMBERS),
         *(f"test/{i:04d}.png" for i in range(90, 96)))
    for name, numbers in (("labels", NUMBERS), ("sample_submission", range(90, 96))):
        (tmp_path / f"{name}.csv").write_text("id,label\n" + "".join(
            f"{i:04d},{i % 2}\n" for i in numbers))
    columns = propose_columns(read_table(tmp_path / "labels.csv"))
    settings = experiment_from_columns("labels.csv", columns).inputs["id"]
    assert settings.folder == "train"
    values = values_of(read_table(tmp_path / "sample_submission.csv"), settings)
    assert values == [tmp_path / f"test/{i:04d}.png" for i in range(90, 96)]


def test_two_columns_that_name_the_same_files_are_one_input(tmp_path: Path) -> None:
    fill(tmp_path, *(f"img/{i:05d}.png" for i in NUMBERS))
    table = Table(tmp_path / "t.csv", tmp_path, pl.DataFrame({
        "id": [str(i) for i in NUMBERS], "img": [f"img/{i:05d}.png" for i in NUMBERS]}))
    id_, img = propose_columns(table)
    assert (id_.role, img.role) == ("ignore", "input")
    assert id_.reason == "Names the same files as 'img'."


def test_addresses_of_files_are_paths_and_others_are_not_fetched(tmp_path: Path) -> None:
    path = tmp_path / "a b.png"
    assert as_written(tmp_path, f"file://{tmp_path}/a%20b.png") == path
    assert parts_of("file:///x/a%20b.png") == ("x", "a b.png")
    with pytest.raises(UserError, match="is an address: addresses are not fetched"):
        readable_file(as_written(tmp_path, "https://example.org/x.png"))


def test_a_table_of_ids_in_text_files_is_joined_to_them(tmp_path: Path) -> None:
    fill(tmp_path, *(f"notes/{i}.txt" for i in NUMBERS))
    lines = [f"{i}.txt,{'ab'[i % 2]}" for i in NUMBERS]
    (tmp_path / "t.csv").write_text("\n".join(["note,label", *lines]))
    table = read_table(tmp_path / "t.csv")
    experiment = experiment_from_columns("t.csv", propose_columns(table))
    assert values_of(table, experiment.inputs["note"])[0] == tmp_path / "notes/7.txt"


def test_a_picture_s_name_never_means_a_sound_of_that_number(tmp_path: Path) -> None:
    fill(tmp_path, *(f"sounds/{n}.wav" for n in NUMBERS))
    (tmp_path / "table").mkdir()
    for folder in (tmp_path, tmp_path / "table"):
        for cell in ("https://example.org/{}.jpg", "{}.jpg"):
            found = rule(folder, [cell.format(n) for n in NUMBERS])
            assert found.share == 0 and found.kind == "image"


def test_a_space_may_be_written_as_in_an_address(tmp_path: Path) -> None:
    fill(tmp_path, "a b.png", "100%25.png")
    assert as_written(tmp_path, "a%20b.png") == tmp_path / "a b.png"
    assert as_written(tmp_path, "100%25.png") == tmp_path / "100%25.png"
    assert as_written(tmp_path, "gone%20b.png") == tmp_path / "gone%20b.png"
