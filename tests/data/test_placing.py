"""Which dropped file goes to which input."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from mmstudio.data.placing import kind_of_file, place_files


@pytest.mark.parametrize(("content", "kind"), [
    ("Größe\n".encode(), "text"), ("é".encode() * 3000, "text"), (b"\x00\x01\x02", None),
    (b"", None), ("é".encode() * 3000 + b"\xff", "text"), (b"\xff\xfe", None)])
def test_a_file_without_a_suffix_is_told_by_its_content(
    tmp_path: Path, content: bytes, kind: str | None
) -> None:
    path = tmp_path / "nameless"
    path.write_bytes(content)
    assert kind_of_file(path) == kind
    Image.new("RGB", (4, 4)).save(path, format="PNG")
    assert kind_of_file(path) == "image"
    assert kind_of_file(path.rename(tmp_path / "a.xyz")) is None  # its name says something else


def test_the_input_that_was_hit_comes_first_then_an_empty_one(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a.png", "b.png", "c.png", "d.wav", "e.xyz")]
    for path in files:
        path.touch()
    inputs = {"front": "image", "back": "image", "words": "text"}
    full = {"front"}
    found = place_files([*files, tmp_path / "gone.png"], inputs, lambda name: name not in full)
    assert found.placed == {"back": files[0], "front": files[1]}
    assert (found.surplus, found.unwanted) == ([files[2]], [(files[3], "audio")])
    assert (found.unknown, found.missing) == ([files[4]], [tmp_path / "gone.png"])
    hit = place_files(files[:1], inputs, lambda name: name not in full, "front")
    assert hit.placed == {"front": files[0]}
