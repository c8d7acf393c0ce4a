"""What is kept of a modality of one's own goes by its code and its options."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmstudio.data.fitted import fitted
from mmstudio.data.schema import modality_of
from mmstudio.data.store import Decoded, decode_all, key_of
from mmstudio.data.store_space import fitted_dir
from mmstudio.experiment import Component, InputSettings
from mmstudio.modalities.base import Modality
from mmstudio.modalities.text import TextModality
from mmstudio.own_components import component_files, load_components, trust

SOURCE = '''
from typing import Annotated

import numpy as np

import mmstudio
from mmstudio.modalities.base import Modality
from mmstudio.registry import Range


@mmstudio.modalities.register("sizes", title="Sizes", summary="How long a text is.")
class Sizes(Modality):
    default_encoder = "cnn"
    dtype = "float32"
    in_cells = True

    def __init__(self, *, times: Annotated[int, Range(1, 9, "how often it counts")] = 1) -> None:
        self._often = times

    def locate(self, cell, folder):
        return cell

    def fit(self, values, wanted={}):
        return {"most": FACTOR * self._often * len(values)}

    def decode(self, value, spec):
        return np.array([FACTOR * self._often * len(value)], dtype=np.float32)
'''
VALUES = ["a", "four"]


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "components").mkdir()
    yield tmp_path
    load_components(tmp_path / "nowhere")


def sizes(project: Path, factor: int, **options: int) -> Modality:
    """The modality as its file, changed to this factor, makes it."""
    (project / "components" / "sizes.py").write_text(SOURCE.replace("FACTOR", str(factor)))
    trust(component_files(project))
    assert load_components(project).names == ("modality sizes",)
    return modality_of(InputSettings("c", "sizes", Component("cnn"), options=options))


def decoded(modality: Modality) -> list[float]:
    *_, rows = decode_all(modality, {}, VALUES)
    assert isinstance(rows, Decoded)
    return [float(array[0]) for row in range(2) if (array := rows.row(row)) is not None]


def test_other_code_decodes_and_learns_anew(project: Path) -> None:
    first = sizes(project, 1)
    assert (decoded(first), fitted(first, VALUES, {})) == ([1, 4], {"most": 2})
    kept = key_of(first, {}, VALUES)
    second = sizes(project, 10)
    assert (decoded(second), fitted(second, VALUES, {})) == ([10, 40], {"most": 20})
    assert key_of(sizes(project, 1), {}, VALUES) == kept


def test_other_options_decode_and_learn_anew_whatever_the_attribute_is_called(
    project: Path
) -> None:
    first = sizes(project, 1)
    assert (decoded(first), fitted(first, VALUES, {})) == ([1, 4], {"most": 2})
    second = sizes(project, 1, times=3)
    assert (decoded(second), fitted(second, VALUES, {})) == ([3, 12], {"most": 6})


class Odd(TextModality):
    """Has what is no plain data."""

    def __init__(self, *, vocabulary: int = 60) -> None:
        super().__init__()
        self.vocabulary = vocabulary
        self.lock = threading.Lock()

    def options_in_use(self) -> dict[str, Any]:
        return {"vocabulary": self.vocabulary}

    def fit(self, values: Any, wanted: Any = None) -> dict[str, Any]:
        return {"mean": np.zeros(3)}


def test_what_is_no_plain_data_is_learnt_without_being_kept() -> None:
    assert fitted(Odd(), VALUES, {})["mean"].shape == (3,)
    assert not list(fitted_dir().glob("*"))


def test_built_in_ones_are_known_by_what_they_learnt() -> None:
    spec = TextModality().fit(VALUES)
    assert key_of(TextModality(vocabulary=60), spec, VALUES) == key_of(
        TextModality(), spec, VALUES)
