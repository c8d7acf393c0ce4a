"""Six inputs, two of each modality, in the whole model: what is absent can't change a bit."""

from __future__ import annotations

import pytest
import torch

from mmstudio.data.batches import InputBatch
from mmstudio.data.schema import Schema
from mmstudio.experiment import Experiment
from mmstudio.fusion import FUSIONS
from mmstudio.modalities import MODALITIES
from mmstudio.registry import options_of
from mmstudio.training.model import MultimodalModel, build_model, completed
from tests.components import content_of, spec_of

INPUTS = {f"{modality} {i}": modality for modality in ("image", "text", "audio") for i in (1, 2)}
ROWS = 10


def model_of(fusion: str) -> MultimodalModel:
    small = {"hidden": 8, "input_width": 3}
    known = options_of(FUSIONS.get(fusion))
    experiment = completed(Experiment.from_dict({
        "data": {"table": "t.csv"},
        "inputs": {n: {"column": n, "modality": m, "encoder": {
            "name": MODALITIES.get(m).default_encoder, "width": 8}} for n, m in INPUTS.items()},
        "fusion": {"name": fusion} | {n: v for n, v in small.items() if n in known},
        "targets": {"kind": {}},
    }))
    torch.manual_seed(0)
    return build_model(experiment, Schema(
        {n: spec_of(m) for n, m in INPUTS.items()}, {"kind": {"classes": ["a", "b", "c"]}}))


def batch_of(present: torch.Tensor, behind: float | None) -> dict[str, InputBatch]:
    """The same content where an input is present; elsewhere noise, or the value ``behind``."""
    batch = {}
    for i, (name, modality) in enumerate(INPUTS.items()):
        lengths = [12 - r % 7 for r in range(ROWS)]
        values, mask = content_of(modality, ROWS, i, lengths)
        absent = ~present[:, i].view(-1, *[1] * (values.ndim - 1))
        if behind is not None and values.is_floating_point():
            values = values.masked_fill(absent, behind)
        elif behind is not None:
            values = torch.where(absent, content_of(modality, ROWS, 99, lengths)[0], values)
        batch[name] = InputBatch(values, mask, present[:, i])
    return batch


@pytest.mark.parametrize("fusion", FUSIONS.names())
def test_the_content_behind_an_absent_input_changes_nothing(fusion: str) -> None:
    model = model_of(fusion).eval()
    present = torch.rand(ROWS, len(INPUTS), generator=torch.Generator().manual_seed(1)) < 0.5
    present[0], present[1] = False, True
    with torch.no_grad():
        answers = [model(batch_of(present, behind))["kind"]
                   for behind in (None, 0.0, float("nan"), float("inf"))]
    assert answers[0].isfinite().all()
    assert all(torch.equal(answers[0], other) for other in answers[1:])
    # and with nothing behind it at all
    alone = present[:1].expand(ROWS, -1)
    with torch.no_grad():
        nothing = model({}, rows=ROWS)["kind"]
        hidden = model(batch_of(torch.ones_like(present), None), keep=alone)["kind"]
    assert torch.equal(nothing, hidden)


@pytest.mark.parametrize("fusion", FUSIONS.names())
def test_no_number_that_is_none_reaches_a_gradient(fusion: str) -> None:
    model = model_of(fusion).train()
    present = torch.rand(ROWS, len(INPUTS), generator=torch.Generator().manual_seed(2)) < 0.5
    present[0] = False
    model(batch_of(present, float("nan")))["kind"].square().sum().backward()
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)
