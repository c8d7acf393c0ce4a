"""Untrained models of one encoder under test and another input, as explanations ask them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from mmstudio.encoders import ENCODERS
from mmstudio.fusion import FUSIONS
from mmstudio.inference.predictor import Predictor
from mmstudio.modalities import MODALITIES
from mmstudio.tasks import TASKS
from mmstudio.training.model import MultimodalModel
from tests.components import needed, spec_for, spec_of, stir

CLASSES = ["a", "b", "c"]


def content_of(modality: str, seed: int = 0) -> Any:
    """One content as the Python interface takes it."""
    chance = np.random.default_rng(seed)
    if modality == "image":
        return chance.integers(0, 255, (16, 16, 3)).astype(np.uint8)
    if modality == "audio":
        return 0.3 * chance.normal(size=2400), 8000
    if modality == "tabular":
        return {"age": "7", "grade": str(seed % 3), "city": "R", "height": "2.1 m"}
    return ("a big red dot", "two little lines more")[seed]


def predictor_of(
    name: str, task: str = "classification", fusion: str = "concat", seed: int = 0,
    **options: Any,
) -> Predictor:
    """A model with an encoder under test as input ``one``, and a table as ``other``."""
    torch.manual_seed(seed)
    cls = ENCODERS.get(name)
    specs = {"one": spec_for(cls), "other": spec_of("tabular")}
    encoders = {"one": cls(specs["one"], **needed(cls) | options), "other": ENCODERS.get("mlp")(
        specs["other"])}
    fused = FUSIONS.get(fusion)([e.width for e in encoders.values()])
    target = {"classes": CLASSES, "counts": [3, 4, 5], "mean": 2.0, "deviation": 3.0, "rows": 9}
    modalities = {"one": MODALITIES.get(cls.modality)(), "other": MODALITIES.get("tabular")()}
    model = MultimodalModel(modalities, encoders, fused,
                            {"answer": TASKS.get(task)(fused.width, target)})
    stir(model)
    with torch.no_grad():
        for head in model.heads:
            head.linear.weight.mul_(4)  # answers that differ
    model.eval()
    found = SimpleNamespace(
        model=model, device=torch.device("cpu"), usual_errors={},
        calibration=None,
        inputs={n: m.name for n, m in modalities.items()}, tasks={"answer": task},
        schema=SimpleNamespace(inputs=specs))
    found.decode = lambda *given: Predictor.decode(found, *given)  # type: ignore[arg-type]
    return found  # type: ignore[return-value]
