"""Which method is chosen: one that sees the answer, unless that takes seconds."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from mmstudio.encoders.image_cnn import ImageCNN
from mmstudio.explanation.asked import Asked
from mmstudio.explanation.explain import explain
from tests.explanation.asking import content_of, predictor_of


@pytest.mark.parametrize(("unseen", "dear", "method"), [
    (0.0, False, "integrated_gradients"), (0.1, False, "integrated_gradients"),
    (0.3, False, "occlusion"), (0.3, True, "integrated_gradients"), (0.6, True, "occlusion"),
])
def test_gradients_are_taken_where_they_see_the_answer(
    monkeypatch: pytest.MonkeyPatch, unseen: float, dear: bool, method: str
) -> None:
    layout = ImageCNN.layout
    monkeypatch.setattr(Asked, "unseen_share", lambda *given: unseen)
    monkeypatch.setattr(ImageCNN, "layout", lambda *given: dataclasses.replace(
        layout(*given), dear=dear))
    predictor: Any = predictor_of("cnn")
    found = explain(predictor, {"one": content_of("image")}).inputs["one"]
    assert found.method == method
    assert found.unseen == (0.0 if method == "occlusion" else unseen)
    assert found.to_json()["unseen"] == found.unseen
