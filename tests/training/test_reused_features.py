"""Rows are told apart by their content, a bounded number of bytes at a time."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
import torch

from mmstudio.data.mapped_rows import Decoded
from mmstudio.training import encode_once, reused_features
from mmstudio.training.encode_once import Encoding
from mmstudio.training.reused_features import ReusedFeatures

SIZES = [3, 0, 5, 1, 40, 2, 2, 0, 7]


def decoded() -> Decoded:
    data = np.arange(sum(SIZES), dtype=np.int16)
    return Decoded(data, np.cumsum([0, *SIZES]), (), {})


def groups(before: ReusedFeatures) -> list[int]:
    return np.diff([0, *before.read()]).tolist()


def test_groups_of_rows_are_as_many_bytes_as_are_allowed_and_a_row_is_never_cut(
    monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = np.flatnonzero(SIZES)
    one = ReusedFeatures("k", "float16", decoded(), rows)
    assert groups(one) == [7]
    monkeypatch.setattr(reused_features, "BYTES_AT_ONCE", 2 * 9)
    few = ReusedFeatures("k", "float16", decoded(), rows)
    assert groups(few) == [3, 1, 2, 1]  # 3+5+1, 40, 2+2, 7 numbers of two bytes
    assert groups(few) == []  # nothing is read twice
    monkeypatch.setattr(reused_features, "ROWS_AT_ONCE", 2)
    assert groups(ReusedFeatures("k", "float16", decoded(), rows)) == [2, 1, 1, 2, 1]
    np.testing.assert_array_equal(few.contents, one.contents)
    due = pl.Series([b"()" + np.arange(3, dtype=np.int16).tobytes()]).hash(0)[0]
    assert one.contents[0] == due and one.contents[1] == 0


@pytest.mark.parametrize("there_before", [False, True])
def test_an_encoding_can_be_stopped_while_the_contents_are_read(
    monkeypatch: pytest.MonkeyPatch, there_before: bool
) -> None:
    monkeypatch.setattr(reused_features, "BYTES_AT_ONCE", 1)
    monkeypatch.setattr(encode_once, "of_family", lambda key: [key] if there_before else [])
    monkeypatch.setattr(reused_features, "of_family", lambda key: [])
    monkeypatch.setattr(Encoding, "key", "k")
    dataset = SimpleNamespace(decoded={"a": decoded()}, used=np.ones(len(SIZES), bool))

    def encoded(self: Encoding, batches: list[np.ndarray]) -> Iterator[dict[int, np.ndarray]]:
        yield {int(r): np.zeros((1, 2), np.float16) for rows in batches for r in rows}

    monkeypatch.setattr(Encoding, "encoded", encoded)
    job = Encoding(None, None, "a", dataset, torch.device("cpu"),  # type: ignore[arg-type]
                   torch.float32, None)  # type: ignore[arg-type]
    moments = [len(chunk.sizes) for chunk in job.chunks()]
    assert sum(moments) == len(SIZES)
    at = moments.index(len(SIZES))
    assert at == (7 if there_before else 0) + 1  # the batch's own moment
    assert len(moments) - at - 1 == (0 if there_before else 7)
