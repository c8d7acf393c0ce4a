"""Annotations as COCO keeps them are a table of pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mmstudio.data.coco import coco_records
from mmstudio.data.folders import read_folder
from mmstudio.data.propose import propose_columns
from mmstudio.data.table import read_table
from mmstudio.errors import UserError

PICTURES = [{"id": i, "file_name": f"{i}.jpg", "width": 8} for i in range(3)]
CLASSES = [{"id": 1, "name": "cat"}, {"id": 7, "name": "dog"}]


def test_a_picture_has_each_class_of_its_parts_once() -> None:
    parts = [{"id": 1, "image_id": 0, "category_id": 7, "bbox": [0, 0, 1, 1]},
             {"id": 2, "image_id": 0, "category_id": 1, "bbox": [0, 0, 1, 1]},
             {"id": 3, "image_id": 0, "category_id": 7, "bbox": [2, 2, 1, 1]},
             {"id": 4, "image_id": 2, "category_id": 9}]
    held = {"info": {}, "images": PICTURES, "annotations": parts, "categories": CLASSES}
    assert coco_records(held) == [
        {"file_name": "0.jpg", "label": ["cat", "dog"]}, {"file_name": "1.jpg"},
        {"file_name": "2.jpg", "label": ["9"]}]


def test_captions_stand_one_behind_the_other() -> None:
    said = [{"image_id": 1, "caption": "A cat. "}, {"image_id": 1, "caption": "It sleeps."}]
    found = coco_records({"images": PICTURES, "annotations": said})
    assert found is not None and found[1] == {"file_name": "1.jpg", "caption": "A cat. It sleeps."}


@pytest.mark.parametrize("held", [
    [], {}, {"images": [], "annotations": []}, {"images": PICTURES},
    {"images": [{"id": 1}], "annotations": [{"image_id": 1}]},
    {"images": PICTURES, "annotations": [{"caption": "whose?"}]},
    {"images": ["a.png"], "annotations": [{"image_id": 1}]},
    {"images": [{"id": [1], "file_name": "a"}], "annotations": [{"image_id": 1}]}])
def test_other_forms_are_not_its(held: Any) -> None:
    assert coco_records(held) is None


def test_a_folder_of_coco_is_proposed_whole(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for i in range(20):
        (tmp_path / "images" / f"{i}.jpg").write_bytes(b"x")
    held = {"info": {"year": 2026},
            "images": [{"id": i, "file_name": f"{i}.jpg"} for i in range(20)],
            "annotations": [{"id": i, "image_id": i, "category_id": (1, 7)[i % 2]}
                            for i in range(20)], "categories": CLASSES}
    (tmp_path / "annotations.json").write_text(json.dumps(held))
    (tmp_path / "settings.json").write_text('{"images": ["a"], "size": 3}')
    for table in (read_folder(tmp_path), read_table(tmp_path / "annotations.json")):
        assert {c.name: c.role for c in propose_columns(table)} == {
            "file_name": "input", "label": "target"}


def test_an_object_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text(json.dumps({"images": ["a"], "annotations": ["b"]}))
    with pytest.raises(UserError, match="no list of records"):
        read_table(tmp_path / "t.json")
