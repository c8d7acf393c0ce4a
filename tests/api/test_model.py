"""A model answers for what is held in memory as it does for the same in files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import soundfile
from PIL import Image

import mmstudio
from tests.modalities.test_tabular import NAType
from tests.small_project import read_rows


def scores(model: mmstudio.Model, **inputs: Any) -> dict[str, float]:
    return model.predict(**inputs).tasks["digit"].scores


def test_a_picture_is_a_path_an_image_or_an_array(model: mmstudio.Model, project: Path) -> None:
    path = project / "images" / "000.png"
    expected = scores(model, image=path)
    array = np.asarray(Image.open(path, formats=("PNG",)))
    assert scores(model, image=str(path)) == expected
    assert scores(model, image=Image.fromarray(array)) == expected
    assert scores(model, image=array) == scores(model, image=array[..., None]) == expected
    assert scores(model, image=array / 255.0) == expected
    assert scores(model, image=array.astype(np.int64)) == expected
    overshot = np.where(array == 255, 1.04, array / 255.0)
    assert scores(model, image=overshot) == expected
    assert scores(model, image=np.stack([array] * 3, axis=2)) == expected
    assert scores(model, image=np.zeros_like(array)) != expected


def test_a_sound_is_a_path_or_samples_with_their_rate(
    model: mmstudio.Model, project: Path
) -> None:
    path = project / "sounds" / "000.wav"
    expected = scores(model, sound=path)
    floats, rate = soundfile.read(path, dtype="float32")
    whole, _ = soundfile.read(path, dtype="int16")
    assert scores(model, sound=(floats, rate)) == expected
    assert scores(model, sound=(whole, rate)) == expected
    assert scores(model, sound=(whole.tolist(), rate)) == expected, "64 bits of numpy's own choice"
    assert scores(model, sound=(whole.astype(np.int32) << 16, rate)) == expected
    assert scores(model, sound=(np.stack([floats] * 2, axis=1), rate)) == expected
    twice = scores(model, sound=(np.repeat(floats, 2), 2 * rate))
    assert max(twice, key=twice.__getitem__) in expected


def test_any_subset_answers_and_none_is_absent(model: mmstudio.Model, project: Path) -> None:
    answer = model.predict(words="two roads meet", image=None)
    assert answer.present == ("words",)
    assert answer.tasks["digit"].label in {"bar", "cross", "dot"}
    assert set(model.tasks) == {"digit", "size"}
    assert set(model.inputs) == {"image", "words", "sound"}
    assert "inputs=['image', 'words', 'sound']" in repr(model)


@pytest.mark.parametrize("given, message", [
    ({"image": object()}, "can't be read as a picture"),
    ({"image": np.zeros((2, 3, 4, 5))}, "shape"),
    ({"image": np.zeros((4, 0), np.uint8)}, "pixels"),
    ({"image": np.zeros((0, 4))}, "4 × 0 pixels"),
    ({"image": np.full((4, 4), 300)}, "beyond 0 to 255"),
    ({"image": np.full((4, 4), 255.0)}, "from 255 to 255; floats are from 0 to 1"),
    ({"image": np.linspace(-1, 1, 16).reshape(4, 4)}, "from -1 to 1; floats are from 0 to 1"),
    ({"sound": np.zeros(100, np.float32)}, "as a sound"),
    ({"sound": (np.zeros((2, 100)), 8000)}, "100 channels"),
    ({"sound": (np.array([0.0, np.nan]), 8000)}, "NaN"),
    ({"sound": (np.zeros(100), 0)}, "as a sound"),
    ({"sound": (np.zeros(100), float("inf"))}, "as a sound"),
    ({"sound": (np.zeros(0), 8000)}, "holds no sound"),
    ({"sound": (np.zeros((100, 0)), 8000)}, "holds no sound"),
    ({"sound": (np.zeros(0, np.int64), 8000)}, "holds no sound"),
    ({"sound": (np.array([0.0, -32768.0]), 8000)}, "up to 32,768; floats are from -1 to 1"),
    ({"sound": (np.array([0, 40_000]), 8000)}, "don't fit into 16 bits"),
    ({"words": 3}, "int can't be read as text"),
    ({"picture": "a.png"}, "no input 'picture'"),
])
def test_what_cannot_be_read_is_told(
    given: dict[str, Any], message: str, model: mmstudio.Model
) -> None:
    with pytest.raises(mmstudio.UserError, match=message):
        model.predict(**given)


class Cells(list[Any]):
    """A column whose cells may be lists."""

    def tolist(self) -> list[Any]:
        return self


class Pandas:
    """As much of a data frame of pandas as is asked of one."""

    def __init__(self, columns: dict[str, list[Any]]) -> None:
        self._columns = {name: cells if isinstance(cells, Cells) else np.array(cells, dtype=object)
                         for name, cells in columns.items()}
        self.columns = list(columns)

    def __getitem__(self, name: str) -> np.ndarray:
        return self._columns[name]

    def to_dict(self) -> dict[str, Any]:
        return dict(self._columns)


@pytest.mark.parametrize("kind", [pl.DataFrame, pl.LazyFrame, Pandas, dict])
def test_a_data_frame_is_answered_row_by_row(
    kind: Any, model: mmstudio.Model, project: Path
) -> None:
    rows = read_rows(project)[:4]
    cells = {"file_name": [r["file_name"] for r in rows], "text": [r["text"] for r in rows[:3]],
             "row": [1, 2, 3, 4]}
    cells["text"].append(float("nan") if kind is Pandas else None)
    found = model.predict_table(kind(cells), folder=project)
    assert found.columns == ["file_name", "text", "row", "digit answer", "digit score",
                             "size answer", "size score", "error"]
    one = model.predict(image=project / rows[0]["file_name"], words=rows[0]["text"])
    assert found["digit answer"][0] == one.tasks["digit"].label
    assert found["digit score"][0] == pytest.approx(
        one.tasks["digit"].scores[found["digit answer"][0]], abs=1e-4)
    assert found["text"][3] is None and found["error"].null_count() == 4


def test_nullable_cells_and_lists_of_pandas_are_read(model: mmstudio.Model) -> None:
    cells = {"text": ["two roads meet", NAType(), float("nan")],
             "when": [np.datetime64("NaT"), np.datetime64("2024-01-02"), np.float32(2)],
             "labels": [["a", "b"], np.array(["c", NAType()]), ()]}
    found = model.predict_table(Pandas({n: Cells(c) for n, c in cells.items()}))
    assert found["text"].to_list() == ["two roads meet", None, None]
    assert found["when"].to_list() == [None, "2024-01-02", "2.0"]
    assert found["labels"].to_list() == ["a|b", "c", None]
    assert found["digit answer"].null_count() == 2


def test_an_empty_frame_and_one_without_inputs_are_told(model: mmstudio.Model) -> None:
    with pytest.raises(mmstudio.UserError, match="holds no rows"):
        model.predict_table({"text": []})
    with pytest.raises(mmstudio.UserError, match="none of the columns"):
        model.predict_table({"x": ["a"]})
    missing = model.predict_table({"file_name": ["none.png"]})
    assert missing["digit answer"][0] is None and "none.png" in missing["error"][0]


def test_embeddings_are_arrays(model: mmstudio.Model, project: Path) -> None:
    path = project / "images" / "000.png"
    found = model.embed(image=path, words="two roads meet", sound=None)
    assert set(found) == {"image", "words"}
    assert all(v.dtype == np.float32 and v.ndim == 1 for v in found.values())
    again = model.embed(image=Image.open(path, formats=("PNG",)))
    assert np.array_equal(again["image"], found["image"])
    together = model.embed_fused(image=path, words="two roads meet")
    assert together.shape == (32,) and not np.array_equal(together, model.embed_fused(image=path))
    with pytest.raises(mmstudio.UserError, match="There is nothing to embed"):
        model.embed(image=None)
    with pytest.raises(mmstudio.UserError, match="no input 'picture'"):
        model.embed(picture=path)


def test_with_alignment_all_are_of_one_space(one_thread: None, project: Path) -> None:
    experiment = mmstudio.Experiment.load(project / "experiment.toml")
    aligned = experiment.replaced("training.alignment", 1.0).replaced("training.epochs", 1)
    model = mmstudio.train(aligned, project / "runs" / "aligned").model()
    found = model.embed(image=project / "images" / "000.png", words="two roads meet")
    assert found["image"].shape == found["words"].shape
    assert np.linalg.norm(found["image"]) == pytest.approx(1, abs=1e-5)


def test_an_answer_is_explained(model: mmstudio.Model, project: Path) -> None:
    row = read_rows(project)[0]
    with Image.open(project / row["file_name"], formats=["PNG"]) as picture:
        picture.load()
    found = model.explain("digit", image=picture, words=row["text"])
    assert found.label == model.predict(image=picture, words=row["text"]).tasks["digit"].label
    assert list(found.inputs) == ["image", "words"]
    drawn = found.inputs["image"].shown.picture()
    assert drawn is not None and drawn.width == drawn.height
    assert [s.name for s in found.inputs["words"].shown.spots] == row["text"].split()
    assert model.explain(words=row["text"]).task == "digit"
