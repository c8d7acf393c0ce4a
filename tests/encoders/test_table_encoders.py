"""The encoders of numbers and categories, with numbers worked out by hand."""

from __future__ import annotations

import json

import pytest
import torch

from mmstudio.encoders.table_columns import STEPS, TableColumns
from mmstudio.encoders.table_mlp import MOST_TOKENS, TableMlp
from mmstudio.modalities.tabular import TabularModality

MODALITY = TabularModality()
SPEC = MODALITY.fit([json.dumps({"age": str(i), "town": "RO"[i % 2]}) for i in range(101)])


def batch(*records: str | None) -> torch.Tensor:
    arrays = [None if r is None else MODALITY.decode(r, SPEC) for r in records]
    return MODALITY.collate(arrays, SPEC)[0]


def test_the_description_holds_each_number_its_rank_and_each_category() -> None:
    found = TableColumns(SPEC).describe(batch("age=50, town=R", "town=Bonn", "age=100"), None)
    # size, rank; known, known; place of a number without levels, places of the town
    values = found[:, :2 + 2 + 1 + 3]
    assert values[0].tolist() == pytest.approx([0, 0, 1, 1, 1, 0, 1, 0])  # R is the commoner
    assert values[1].tolist() == [0, 0, 0, 1, 0, 1, 0, 0]
    assert values[2].tolist() == pytest.approx([1.349, 3**0.5, 1, 0, 1, 0, 0, 0], abs=1e-3)
    steps = found[:, 8 : 8 + STEPS]
    assert steps.sum(dim=1).tolist() == [1, 0, 1]
    assert steps[0, STEPS // 2] == 1 and steps[2, STEPS - 1] == 1


def test_new_categories_are_alike_and_missing_is_another() -> None:
    torch.manual_seed(0)
    encoder = TableMlp(SPEC, width=16).eval()
    new, other, missing = encoder(
        batch("age=3, town=Bonn", "age=3, town=Kiel", "age=3"), None).tokens
    assert torch.equal(new, other)
    assert not torch.allclose(new, missing)


def test_many_columns_make_no_more_than_so_many_tokens() -> None:
    spec = {"columns": [{"name": f"c{i}", "kind": "category", "words": ["a"]} for i in range(90)]}
    features = TableMlp(spec, width=8)(torch.ones(3, 90, 4), None)
    assert features.tokens.shape == (3, MOST_TOKENS, 8)


def test_hidden_cells_teach_what_missing_and_new_mean() -> None:
    torch.manual_seed(0)
    encoder = TableMlp(SPEC, width=8, dropout=0.0, masking=0.5).train()
    encoder(batch(*["age=3, town=R"] * 64), None).tokens.square().sum().backward()
    gradient = encoder.places.weight.grad
    assert gradient is not None and encoder.missing.grad is not None
    begin = int(encoder.begins[1])
    assert gradient[begin].any() and encoder.missing.grad.any(dim=1).all()
