"""Which rows hold the same content, whatever file it came from."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mmstudio.data.contents import content_numbers, contents_of
from mmstudio.data.prepare import Dataset, prepare
from tests.small_project import read_rows, small_experiment, write_small_project, write_table


def prepared(folder: Path) -> Dataset:
    *_, dataset = prepare(small_experiment(), folder)
    assert isinstance(dataset, Dataset)
    return dataset


def test_equal_content_has_equal_numbers(tmp_path: Path) -> None:
    folder = write_small_project(tmp_path / "project")
    rows = read_rows(folder)
    (folder / "images" / "copy.png").write_bytes((folder / rows[0]["file_name"]).read_bytes())
    rows[1]["file_name"] = "images/copy.png"
    rows[2]["text"], rows[3]["text"], rows[4]["text"] = "two roads", "a dot", "two roads"
    rows[5]["file_name"] = ""
    write_table(folder / "metadata.csv", rows)
    dataset = prepared(folder)
    pictures = content_numbers(dataset.decoded["image"])
    assert pictures[0] == pictures[1] == 0
    assert pictures[5] == -1 and (pictures == -1).sum() == sum(not r["file_name"] for r in rows)
    there = pictures[pictures >= 0]
    assert sorted(set(there.tolist())) == list(range(len(there) - 1))  # one is twice there
    texts = content_numbers(dataset.decoded["words"])
    assert texts[2] == texts[4] != texts[3]
    both = contents_of(dataset, ["words", "image"])
    assert np.array_equal(both, np.stack([texts, pictures], axis=1))


def test_texts_of_unknown_words_alone_are_the_same_to_the_model(tmp_path: Path) -> None:
    folder = write_small_project(tmp_path / "project")
    rows = read_rows(folder)
    last = [r for r in rows if r["split"] == "test"][-2:]
    last[0]["text"], last[1]["text"] = "ж", "щ"  # the training rows hold no such letters
    write_table(folder / "metadata.csv", rows)
    dataset = prepared(folder)
    texts = content_numbers(dataset.decoded["words"])
    at = [rows.index(r) for r in last]
    assert texts[at[0]] == texts[at[1]] >= 0
