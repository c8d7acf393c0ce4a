"""Well-known public sets in miniature: what is proposed for each, without a hand.

Layouts as their authors publish them; the contents are made up.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from mmstudio.data.schema import values_of
from mmstudio.data.table import read_table
from mmstudio.experiment import Experiment, SplitShares
from mmstudio.project.proposal import propose, write_project

Used = dict[str, str]
"""What each column that is used is proposed as."""


def fill(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


def write(path: Path, head: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter="\t" if path.suffix == ".tsv" else ",")
        writer.writerows([head, *rows])


def urban_sound(folder: Path) -> None:
    names = ["air_conditioner", "car_horn", "children_playing", "dog_bark", "siren"]
    rows: list[list[Any]] = []
    for i in range(120):
        kind, source = i % 5, 100_000 + i // 10 * 5 + i % 5
        name, fold = f"{source}-{kind}-0-{i}.wav", i // 12 + 1
        fill(folder, f"audio/fold{fold}/{name}")
        rows.append([name, source, round(i * 0.37, 4), round(i * 0.37 + 4, 4), i % 2 + 1, fold,
                     kind, names[kind]])
    write(folder / "metadata" / "UrbanSound8K.csv", "slice_file_name fsID start end salience fold "
          "classID class".split(), rows)
    fill(folder, "UrbanSound8K_README.txt")


def esc_50(folder: Path) -> None:
    names = ["dog", "rooster", "rain", "sea_waves", "clapping"]
    rows: list[list[Any]] = []
    for i in range(100):
        clip, take, target = 100_000 + i // 2, "AB"[i % 2], i // 2 % 5
        name = f"{i % 5 + 1}-{clip}-{take}-{target}.wav"
        fill(folder, f"audio/{name}")
        rows.append([name, i % 5 + 1, target, names[target], target in (0, 2), clip, take])
    write(folder / "meta" / "esc50.csv",
          "filename fold target category esc10 src_file take".split(), rows)
    fill(folder, "README.md", "LICENSE", "requirements.txt", "tests/test_dataset.py")


def common_voice(folder: Path) -> None:
    head = ("client_id path sentence up_votes down_votes age gender accents locale segment").split()
    number = 0
    parts: dict[str, list[list[Any]]] = {}
    for part, count in (("train", 60), ("dev", 20), ("test", 20)):
        rows: list[list[Any]] = []
        for _ in range(count):
            name = f"common_voice_en_{number}.mp3"
            fill(folder, f"clips/{name}")
            rows.append([f"{part}{number // 4:060x}", name, f"sentence number {number} is read",
                         number % 3 + 2, number % 2, ("twenties", "thirties", "")[number % 3],
                         ("male", "female")[number % 2], "", "en", ""])
            number += 1
        parts[part] = rows
        write(folder / f"{part}.tsv", head, rows)
    write(folder / "validated.tsv", head, [r for rows in parts.values() for r in rows])
    write(folder / "reported.tsv", ["sentence_id", "sentence", "locale", "reason"],
          [["a", "some sentence", "en", "grammar"]])


def speech_commands(folder: Path) -> None:
    for word in ("yes", "no", "bird", "happy"):
        fill(folder, *(f"{word}/{i // 2:08x}_nohash_{i % 2}.wav" for i in range(20)))
    fill(folder, "_background_noise_/running_tap.wav", "_background_noise_/white_noise.wav",
         "README.md", "LICENSE")
    for name, speakers in (("validation", (1, 4)), ("testing", (2, 7))):
        (folder / f"{name}_list.txt").write_text("".join(
            f"{word}/{s:08x}_nohash_{i}.wav\n" for word in ("yes", "no", "bird", "happy")
            for s in speakers for i in range(2)))


def hateful_memes(folder: Path) -> None:
    number = 0
    for part, count in (("train", 60), ("dev", 20), ("test", 12)):
        lines = []
        for _ in range(count):
            name = f"img/{number * 37 + 1235:05d}.png"
            fill(folder, name)
            row: dict[str, Any] = {"id": number * 37 + 1235, "img": name, "label": number % 2,
                                   "text": f"look how many people {number} love you {number % 7}"}
            if part == "test":
                del row["label"]
            lines.append(json.dumps(row))
            number += 1
        (folder / f"{part}.jsonl").write_text("\n".join(lines))
    fill(folder, "README.md", "LICENSE.txt")


def mm_imdb(folder: Path) -> None:
    genres = (["Drama"], ["Comedy", "Drama"], ["Film-Noir"], ["Comedy", "Short"])
    names = [f"{i * 13 + 5:07d}" for i in range(60)]
    for i, name in enumerate(names):
        fill(folder, f"dataset/{name}.jpeg")
        (folder / "dataset" / f"{name}.json").write_text(json.dumps({
            "genres": genres[i % 4], "title": f"Film number {i}", "kind": "movie",
            "plot": [f"A story of {i} people.", f"In it {i} people go to town number {i % 7}."],
            "cast": [{"name": "somebody"}], "plot outline": f"There are {i} people in it."}))
    (folder / "split.json").write_text(json.dumps(
        {"train": names[:40], "dev": names[40:48], "test": names[48:]}))


def crema_d(folder: Path) -> None:
    for i in range(120):
        actor, sentence = 1001 + i % 20, ("IEO", "TIE", "DFA")[i // 20 % 3]
        emotion, level = ("ANG", "SAD", "HAP", "NEU")[i // 20 % 4], ("XX", "HI")[i // 60]
        fill(folder, f"AudioWAV/{actor}_{sentence}_{emotion}_{level}.wav")


def paired_tables(folder: Path) -> None:
    fill(folder, *(f"train_images/{i * 7919:08x}.jpg" for i in range(60)),
         *(f"test_images/{i * 104_729:08x}.jpg" for i in range(1, 13)))
    labels = ("scab", "healthy", "rust", "scab rust")
    write(folder / "train.csv", ["image", "labels"],
          [[f"{i * 7919:08x}.jpg", labels[i % 4]] for i in range(60)])
    test = [f"{i * 104_729:08x}.jpg" for i in range(1, 13)]
    write(folder / "test.csv", ["image"], [[name] for name in test])
    write(folder / "sample_submission.csv", ["image", "labels"],
          [[name, "healthy"] for name in test])


def places_365(folder: Path) -> None:
    for place in ("a/airfield", "a/apartment_building/outdoor", "b/bar", "z/zen_garden"):
        fill(folder, *(f"train/{place}/{i:08d}.jpg" for i in range(20)),
             *(f"val/{place}/{i:08d}.jpg" for i in range(4)))


def label_studio(folder: Path) -> None:
    records = []
    for i in range(40):
        fill(folder, f"upload/{i:08x}-photo_{i}.png")
        records.append({
            "id": 700 + i, "image": f"/data/upload/3/{i:08x}-photo_{i}.png",
            "animal": ("Cat", "Dog")[i % 2], "annotator": 1, "annotation_id": 900 + i,
            "created_at": f"2024-03-01T10:{i:02d}:00.000Z", "lead_time": 2.5 + i / 9,
            "updated_at": f"2024-03-01T11:{i:02d}:00.000Z"})
    (folder / "project-3-at-2024-03-01.json").write_text(json.dumps(records))


LAYOUTS: dict[str, tuple[Callable[[Path], None], int, Used, list[str]]] = {
    "UrbanSound8K": (urban_sound, 120, {
        "slice_file_name": "audio", "fsID": "group", "class": "classification"}, []),
    "ESC-50": (esc_50, 100, {
        "filename": "audio", "src_file": "group", "category": "classification"}, []),
    "Common Voice": (common_voice, 100, {
        "client_id": "group", "path": "audio", "sentence": "text", "age": "classification",
        "gender": "classification", "split": "split"},
        ["train: train.tsv; validation: dev.tsv; test: test.tsv",
         "reported.tsv and validated.tsv are left aside"]),
    "Speech Commands": (speech_commands, 80, {
        "file_name": "audio", "label": "classification", "split": "split"},
        ["_background_noise_: left aside"]),
    "Hateful Memes": (hateful_memes, 92, {
        "img": "image", "label": "classification", "text": "text", "split": "split"},
        ["The 12 rows of test.jsonl have no 'label'."]),
    "MM-IMDb": (mm_imdb, 60, {
        "file_name": "image", "genres": "multilabel", "title": "text", "plot": "text",
        "plot outline": "text", "split": "split"}, []),
    "CREMA-D": (crema_d, 120, {
        "file_name": "audio", "name part 1 (id)": "group", "name part 2": "classification",
        "name part 3": "classification", "name part 4": "classification"},
        ["The files' names have 4 parts each"]),
    "train.csv beside train_images": (paired_tables, 60, {
        "image": "image", "labels": "multilabel"}, ["test.csv is left aside"]),
    "Places365": (places_365, 96, {
        "file_name": "image", "label": "classification", "split": "split"}, []),
    "Label Studio": (label_studio, 40, {"image": "image", "animal": "classification"}, []),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_well_known_set_is_understood(name: str, tmp_path: Path) -> None:
    make, rows, used, notes = LAYOUTS[name]
    make(tmp_path / "data")
    proposal = propose(tmp_path / "data")
    assert len(proposal.table) == rows
    assert {c.name: c.modality or c.task or c.role for c in proposal.columns
            if c.role != "ignore"} == used
    said = " ".join(proposal.said())
    for note in notes:
        assert note in said
    path = write_project(tmp_path / "project", proposal)
    experiment = Experiment.load(path)
    table = read_table(path.parent / experiment.data.table)
    for settings in experiment.inputs.values():
        for value in values_of(table, settings):
            assert value is None or settings.modality == "text" or Path(value).is_file()


def test_groups_of_well_known_sets_keep_their_rows_together(tmp_path: Path) -> None:
    for make, group in ((urban_sound, "fsID"), (esc_50, "src_file"), (crema_d, "name part 1 (id)")):
        folder = tmp_path / make.__name__
        make(folder)
        experiment = Experiment.load(write_project(folder / "project", propose(folder)))
        assert isinstance(experiment.data.split, SplitShares)
        assert experiment.data.split.group == group


def test_a_table_of_a_set_without_its_folder_is_found_likewise(tmp_path: Path) -> None:
    urban_sound(tmp_path)
    table = propose(tmp_path / "metadata" / "UrbanSound8K.csv").table
    path = table.path_of(17, "slice_file_name")
    assert path is not None and path.is_file()


def test_labels_of_nested_places_are_whole(tmp_path: Path) -> None:
    places_365(tmp_path)
    assert set(read_table(tmp_path).column("label")) == {
        "a/airfield", "a/apartment_building/outdoor", "b/bar", "z/zen_garden"}
