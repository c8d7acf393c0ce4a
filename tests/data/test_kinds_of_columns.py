"""Lists written as text, files inside tables, switches, votes and times, coarser labels."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image

from mmstudio.data.checks import Report, check
from mmstudio.data.columns import Column
from mmstudio.data.lists_in_cells import items_of
from mmstudio.data.table import read_table
from mmstudio.experiment import Experiment
from mmstudio.modalities.picture_files import open_image
from mmstudio.project.proposal import propose, write_project
from tests.small_project import write_table

LISTS = [["Comedy", "Drama"], ["Drama"], ["Comedy", "Short Film"], ["Drama", "Short Film"]] * 8


def proposed(folder: Path, columns: dict[str, list[Any]], name: str = "t.csv") -> dict[str, Column]:
    pl.DataFrame(columns).write_csv(folder / name)
    return {c.name: c for c in propose(folder / name).columns}


@pytest.mark.parametrize("kind", ["csv", "json in csv", "numpy", "records", "jsonl", "parquet",
                                  "json"])
def test_lists_are_labels_whichever_file_they_come_from(kind: str, tmp_path: Path) -> None:
    texts = [f"some words about film {i}" for i in range(len(LISTS))]
    rows = [{"plot": t, "genre": g} for t, g in zip(texts, LISTS, strict=True)]
    path = tmp_path / ("t.csv" if kind in ("csv", "json in csv", "numpy", "records")
                       else f"t.{kind}")
    if kind == "jsonl":
        path.write_text("\n".join(map(json.dumps, rows)))
    elif kind == "json":
        path.write_text(json.dumps(rows))
    elif kind == "parquet":
        pl.DataFrame(rows).write_parquet(path)
    else:
        written = {"csv": str, "json in csv": json.dumps, "numpy": lambda g: str(np.array(g)),
                   "records": lambda g: str([{"id": 1, "name": n} for n in g])}[kind]
        pl.DataFrame({"plot": texts, "genre": [written(g) for g in LISTS]}).write_csv(path)
    table = read_table(path)
    assert table.column("genre").to_list() == ["|".join(g) for g in LISTS]
    genre = propose(path).columns[1]
    assert (genre.task, genre.options) == ("multilabel", {"separator": "|"})
    assert "3 different ones" in genre.reason


@pytest.mark.parametrize("cell", [
    "[not a list]", "['a', ['b']]", "[0.5, 0.25]", "a sentence [1]", "(see there)", "[" * 5000])
def test_what_is_no_list_of_labels_stays_as_it_is(cell: str) -> None:
    assert items_of(cell) is None


def png(level: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (8, 8), level).save(buffer, "PNG")
    return buffer.getvalue()


def test_pictures_inside_parquet_are_unpacked_and_classes_have_their_names(tmp_path: Path) -> None:
    described = {"huggingface": json.dumps({"info": {"features": {
        "image": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": ["cat", "dog"]}}}})}
    pl.DataFrame({
        "image": [None if i == 3 else {"bytes": png(i), "path": f"{i}.png"} for i in range(20)],
        "raw": [png(100 + i) for i in range(20)], "code": [b"\x01\x02"] * 20,
        "label": [i % 2 for i in range(20)],
    }).write_parquet(tmp_path / "t.parquet", metadata=described)
    table = read_table(tmp_path / "t.parquet")
    path = table.path_of(5, "image")
    assert path is not None and np.asarray(open_image(path)).max() == 5
    assert table.cell(3, "image") is None
    raw = table.path_of(2, "raw")
    assert raw is not None and np.asarray(open_image(raw)).max() == 102
    assert table.column("code").null_count() == 20
    assert table.column("label").to_list()[:2] == ["cat", "dog"]
    assert "unpacked to" in " ".join(table.notes)
    proposal = propose(tmp_path / "t.parquet")
    assert [c.modality for c in proposal.columns[:2]] == ["image", "image"]
    experiment = Experiment.load(write_project(tmp_path / "p", proposal))
    report = list(check(experiment, tmp_path / "p"))[-1]
    assert isinstance(report, Report)
    assert not [p for p in report.problems if p.kind in ("unreadable", "table")]


def test_records_of_a_labelling_program(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    records = []
    for i in range(12):
        Image.new("L", (8, 8), i).save(tmp_path / "pictures" / f"{i}.png")
        result = [{"from_name": "kind", "to_name": "image", "type": "choices",
                   "value": {"choices": [("cat", "dog")[i % 2]]}}]
        records.append({"id": 100 + i, "data": {"image": f"/data/upload/1/{i:08x}-{i}.png"},
                        "annotations": [{"id": i, "result": result, "lead_time": 3.5 + i}]})
    (tmp_path / "export.json").write_text(json.dumps(records))
    table = read_table(tmp_path)
    assert table.columns == ["image", "kind"]
    assert table.path_of(3, "image") == tmp_path / "pictures/3.png"
    assert {c.name: c.role for c in propose(tmp_path).columns} == {
        "image": "input", "kind": "target"}


def test_switches_are_all_treated_alike(tmp_path: Path) -> None:
    found = proposed(tmp_path, {
        "id": [f"{i * 2654435761 % 2**32:016x}" for i in range(100)],
        "comment": [f"some words {i} of many" for i in range(100)],
        **{name: [int(i % n == 0) for i in range(100)]
           for name, n in zip("abcdef", (2, 3, 5, 33, 7, 11), strict=True)}})
    assert [c.task for n, c in found.items() if n in "abcdef"] == ["classification"] * 6
    assert all("6 columns" in found[n].reason for n in "abcdef")
    path = write_project(tmp_path / "p", propose(tmp_path / "t.csv"))
    report = list(check(Experiment.load(path), path.parent))[-1]
    assert isinstance(report, Report)
    told, = [p for p in report.problems if p.kind == "lopsided"]
    assert (told.row, told.column) == (-1, "d") and "96 of 100 rows" in told.message


def test_times_votes_and_ids_are_not_what_is_asked_for(tmp_path: Path) -> None:
    found = proposed(tmp_path, {
        "text": [f"some words {i} of many" for i in range(120)],
        "up_votes": [i % 4 for i in range(120)], "start": [i * 0.37 for i in range(120)],
        "lead_time": [3 + i * 0.11 for i in range(120)], "salience": [i % 2 for i in range(120)],
        "classID": [i % 3 for i in range(120)], "class": list("abc") * 40
    })
    assert [n for n, c in found.items() if c.role == "target"] == ["class"]
    assert all(c.reason for c in found.values())
    alone = proposed(tmp_path, {
        "text": [f"some words {i} of many" for i in range(120)],
        "duration": [i * 0.37 for i in range(120)]})
    assert alone["duration"].task == "regression"


def test_a_coarser_label_is_no_group_and_the_check_does_not_split_by_it(tmp_path: Path) -> None:
    instruments = ["violin", "cello", "flute", "oboe", "horn", "tuba", "drum", "bell", "lute",
                   "harp", "viola", "bass", "piccolo", "bassoon", "trumpet", "gong", "lyre",
                   "zither", "sitar", "organ"]
    rows = [{"text": f"some words {i} of many", "instrument": instruments[i % 20],
             "family": ("strings", "winds", "brass", "drums")[i % 20 % 4],
             "split": ("train", "train", "train", "validation", "test")[i // 20 % 5]}
            for i in range(400)]
    write_table(tmp_path / "t.csv", rows)
    proposal = propose(tmp_path / "t.csv")
    found = {c.name: c for c in proposal.columns}
    assert found["family"].task == "classification"
    assert "Follows from 'instrument'" in found["family"].reason
    path = write_project(tmp_path / "p", proposal)
    experiment = Experiment.load(path)
    del experiment.targets["family"]
    report = list(check(experiment, path.parent))[-1]
    assert isinstance(report, Report)
    assert not [p for p in report.problems if p.kind == "straddling_group"]


@pytest.mark.parametrize("suffix", ["tif", "png"])
def test_twelve_bits_in_sixteen_are_seen(suffix: str, tmp_path: Path) -> None:
    levels = np.full((16, 16), 200, np.uint16)
    levels[4:12, 4:12] = 900
    Image.fromarray(levels).save(tmp_path / f"p.{suffix}")
    seen = np.asarray(open_image(tmp_path / f"p.{suffix}"))
    assert seen.max() == 56 and seen.min() == 12  # of 4,095
