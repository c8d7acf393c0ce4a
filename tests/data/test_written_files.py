"""Pictures and sounds that a table holds as text, in base64."""

from __future__ import annotations

import base64
import csv
import io
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import soundfile
from PIL import Image

from mmstudio.data.propose import propose_columns
from mmstudio.data.schema import values_of
from mmstudio.data.table import Table, read_table
from mmstudio.experiment import Experiment


def picture(shade: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (9, 7), (shade, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


def sound(pitch: int) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, np.sin(np.arange(800) * pitch / 50), 8000, format="WAV")
    return buffer.getvalue()


def as_text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def saved(path: Path, rows: list[dict[str, str]]) -> Table:
    if path.suffix == ".csv":
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    elif path.suffix == ".jsonl":
        path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    else:
        pl.DataFrame(rows).write_parquet(path)
    return read_table(path)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_they_are_files_of_their_kind(suffix: str, tmp_path: Path) -> None:
    table = saved(tmp_path / f"t{suffix}", [
        {"shot": as_text(picture(i)), "label": "ab"[i % 2],
         "clip": f"data:audio/wav;base64,{as_text(sound(i + 1))}"} for i in range(20)])
    assert {c.name: (c.role, c.modality) for c in propose_columns(table)} == {
        "shot": ("input", "image"), "label": ("target", None), "clip": ("input", "audio")}
    experiment = Experiment.from_dict({
        "data": {"table": table.path.name}, "targets": {"label": {
            "column": "label", "task": "classification"}},
        "inputs": {"shot": {"column": "shot", "modality": "image"},
                   "clip": {"column": "clip", "modality": "audio"}}})
    found = values_of(table, experiment.inputs["shot"])
    assert [Path(str(v)).read_bytes() for v in found] == [picture(i) for i in range(20)]
    assert "the files lie in the table itself" in " ".join(table.notes)


def test_a_damaged_cell_is_an_absent_input(tmp_path: Path) -> None:
    rows = [{"shot": as_text(picture(i)), "label": "ab"[i % 2]} for i in range(6)]
    rows[2]["shot"] = rows[2]["shot"][:-3] + "!"
    rows[4]["shot"] = ""
    table = saved(tmp_path / "t.csv", rows)
    assert [cell is None for cell in table.column("shot")] == [
        False, False, True, False, True, False]


def test_words_that_begin_so_are_words(tmp_path: Path) -> None:
    table = saved(tmp_path / "t.csv", [{"text": f"/9j/ is how JPEG begins, number {i}",
                                        "key": f"SUQz{i}"} for i in range(6)])
    assert table.notes == ()
    assert table.column("key").to_list()[1] == "SUQz1"
