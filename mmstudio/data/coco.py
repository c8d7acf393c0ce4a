"""Annotations as COCO keeps them: pictures, what was said of each, and the names of the classes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, TypeGuard

KEYS = ("images", "annotations")


def coco_records(held: Any) -> list[Mapping[str, Any]] | None:
    """One record per picture: ``file_name``, ``label`` (all its classes) and ``caption``.

    What is said of a part of a picture, such as a box, is not kept; of several captions all are,
    one behind the other. The form is that of Lin et al. 2014.

    Args:
        held: What the JSON file holds.

    Returns:
        None where it has another form.
    """
    if not isinstance(held, dict) or not all(are_records(held.get(key)) for key in KEYS):
        return None
    pictures, said = held["images"], held["annotations"]
    if not all("file_name" in p and _is_id(p.get("id")) for p in pictures):
        return None
    if not all(_is_id(one.get("image_id")) for one in said):
        return None
    classes = held.get("categories")
    names = {c["id"]: str(c.get("name", c["id"]))
             for c in (classes if are_records(classes) else ()) if _is_id(c.get("id"))}
    labels: dict[Any, list[str]] = defaultdict(list)
    captions: dict[Any, list[str]] = defaultdict(list)
    for one in said:
        if _is_id(one.get("category_id")):
            label = names.get(one["category_id"], str(one["category_id"]))
            if label not in labels[one["image_id"]]:
                labels[one["image_id"]].append(label)
        if isinstance(one.get("caption"), str):
            captions[one["image_id"]].append(one["caption"].strip())
    return [{"file_name": picture["file_name"]}
            | ({"label": sorted(labels[picture["id"]])} if labels[picture["id"]] else {})
            | ({"caption": " ".join(captions[picture["id"]])} if captions[picture["id"]] else {})
            for picture in pictures]


def are_records(held: Any) -> TypeGuard[list[dict[str, Any]]]:
    """Whether it is a list of objects, at least one."""
    return isinstance(held, list) and bool(held) and all(isinstance(r, dict) for r in held)


def _is_id(value: Any) -> bool:
    return isinstance(value, int | str) and not isinstance(value, bool)
