"""What the explanation of every encoder's input promises; a new one is tested without a line."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from mmstudio.encoders import ENCODERS, Encoder, Features
from mmstudio.explanation.asked import Asked
from mmstudio.explanation.explain import explain
from mmstudio.explanation.gradients import integrated_gradients
from mmstudio.modalities import MODALITIES
from tests.explanation.asking import CLASSES, content_of, predictor_of

NAMES = ENCODERS.names()
LAID_OUT = [n for n in NAMES if ENCODERS.get(n).layout is not Encoder.layout]
OTHER = content_of("tabular")


def sample_of(predictor: Any, seed: int = 0) -> dict[str, Any]:
    return {"one": content_of(predictor.inputs["one"], seed), "other": OTHER}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("method", ["auto", "occlusion"])
def test_every_input_gets_a_finite_map_of_its_shape(name: str, method: Any) -> None:
    predictor = predictor_of(name)
    sample = sample_of(predictor)
    found = explain(predictor, sample, method=method)
    assert list(found.inputs) == ["one", "other"]
    for one in found.inputs.values():
        pieces = Asked(predictor, sample).pieces(one.input)
        assert pieces is not None
        assert one.weights.shape == pieces.shape
        assert np.isfinite(one.weights).all() and np.isfinite(one.shown.weights).all()
        assert np.abs(one.weights).max() > 0
        assert len(one.shown.spots) == one.weights.size
        assert [s.weight for s in one.shown.spots] == pytest.approx(one.weights.ravel().tolist())
    assert found.tried
    wanted = "occlusion" if method == "occlusion" or name not in LAID_OUT else None
    assert wanted is None or found.inputs["one"].method == wanted


@pytest.mark.parametrize("name", NAMES)
def test_the_map_depends_on_the_class(name: str) -> None:
    predictor = predictor_of(name)
    maps = [explain(predictor, sample_of(predictor), label=label, change=False).inputs["one"]
            for label in CLASSES]
    for one, other in ((0, 1), (1, 2)):
        assert not np.allclose(maps[one].weights, maps[other].weights, rtol=0.05)


@pytest.mark.parametrize("name", NAMES)
def test_absent_inputs_do_not_count(name: str) -> None:
    predictor = predictor_of(name)
    alone = explain(predictor, {"one": sample_of(predictor)["one"]}, "answer", "a")
    muted = explain(predictor, sample_of(predictor), "answer", "a", use={"one"})
    assert list(alone.inputs) == list(muted.inputs) == ["one"]
    assert np.array_equal(alone.inputs["one"].weights, muted.inputs["one"].weights)
    together = explain(predictor, sample_of(predictor), "answer", "a")
    assert list(together.inputs) == ["one", "other"]


@pytest.mark.parametrize("task", ["classification", "multilabel", "regression"])
@pytest.mark.parametrize("name", LAID_OUT)
def test_integrated_gradients_add_up_to_the_difference(name: str, task: str) -> None:
    """Completeness (Sundararajan et al. 2017, proposition 1)."""
    predictor = predictor_of(name, task)
    asked = Asked(predictor, sample_of(predictor))
    batch = asked.batch["one"]
    layout = asked.encoder("one").layout(batch.values, batch.mask)
    assert layout is not None
    if layout.method == "integrated_gradients":
        head = predictor.model.tasks["answer"]
        weights, gap = integrated_gradients(
            asked, "one", layout, "answer", lambda outputs: head.spoken(outputs, 0))
        assert gap <= 0.01
        assert np.isfinite(weights).all()


@pytest.mark.parametrize("name", NAMES)
def test_what_is_explained_is_not_changed(name: str) -> None:
    predictor = predictor_of(name)
    before = {n: t.clone() for n, t in predictor.model.state_dict().items()}
    answer = Asked(predictor, sample_of(predictor)).outputs["answer"]
    explain(predictor, sample_of(predictor))
    after = Asked(predictor, sample_of(predictor)).outputs["answer"]
    assert torch.equal(answer, after)
    assert all(torch.equal(t, before[n]) for n, t in predictor.model.state_dict().items())
    assert all(p.grad is None for p in predictor.model.parameters())
    assert all(not m._forward_hooks for m in predictor.model.modules())


class Plain(Encoder):
    """One's own, which says nothing of its insides: the mean of each colour."""

    def __init__(self, spec: dict[str, Any]) -> None:
        super().__init__(spec)
        self.width = 3

    def forward(self, values: torch.Tensor, mask: torch.Tensor | None) -> Features:
        tokens = values.mean(dim=(2, 3)).unsqueeze(1)
        return Features(tokens, torch.ones(tokens.shape[:2], dtype=torch.bool))


def own_encoder() -> Any:
    predictor = predictor_of("cnn")
    predictor.model.encoders[0] = Plain({})
    predictor.model.absent[0] = torch.nn.Parameter(torch.zeros(3))
    fusion = type(predictor.model.fusion)([3, predictor.model.encoders[1].width])
    predictor.model.fusion = fusion.eval()
    return predictor


def test_an_encoder_of_ones_own_is_explained_by_hiding() -> None:
    predictor = own_encoder()
    found = explain(predictor, sample_of(predictor))
    assert found.inputs["one"].method == "occlusion"
    assert np.abs(found.inputs["one"].weights).max() > 0


def test_a_modality_that_knows_no_pieces_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MODALITIES.get("image"), "pieces", lambda *given: None)
    predictor = own_encoder()
    assert list(explain(predictor, sample_of(predictor)).inputs) == ["other"]


@pytest.mark.parametrize("fusion", ["late", "gated", "product_of_experts", "tensor"])
def test_other_fusions_are_explained_too(fusion: str) -> None:
    predictor = predictor_of("cnn", fusion=fusion)
    found = explain(predictor, sample_of(predictor))
    assert found.inputs["one"].method == "integrated_gradients"
    assert np.isfinite(found.inputs["one"].weights).all()
