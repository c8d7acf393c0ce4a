"""What is exported answers as the app does: every encoder, every fusion, every subset."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from onnxruntime import InferenceSession

from mmstudio.encoders import ENCODERS, Encoder, Features
from mmstudio.errors import UserError
from mmstudio.export.onnx_file import traced, write_onnx
from mmstudio.export.shipped import predict
from mmstudio.export.shipped.predict import Model
from mmstudio.fusion import FUSIONS
from mmstudio.registry import options_of
from mmstudio.training.shapley import all_subsets
from tests.export import contract
from tests.export.contract import (
    Encoded,
    Fusions,
    contents,
    every_case,
    exported,
    exported_both,
    features_of,
    graph_of,
    prepared,
    raw,
    untrained,
    written,
)
from tests.tiny_soundnet import tiny_soundnet

# half a minute each on a quiet core: the exporter is slow Python, a busy machine makes it slower
pytestmark = pytest.mark.timeout(900)
SMALL = {"width": 12}
STANDARD: dict[str, tuple[str, dict[str, Any]]] = {
    "image": ("cnn", SMALL), "words": ("rnn", SMALL), "sound": ("crnn", SMALL | {"mel_bands": 16}),
    "cells": ("mlp", SMALL)}
STANDARD_FUSION = "gated"
"""What the whole model below is made of: its answers tell of these, and tracing takes long."""
OTHERS: dict[str, tuple[str, dict[str, Any]]] = {
    name: (name, SMALL) for name in ENCODERS.names()
    if not name.startswith("pretrained") and name not in {n for n, _ in STANDARD.values()}
} | {"gru": ("rnn", SMALL | {"cell": "gru", "layers": 2})}
AGREE = 2e-5


@pytest.mark.parametrize("modality", sorted({ENCODERS.get(n).modality for n, _ in OTHERS.values()}))
def test_every_other_encoder_gives_the_same_features(modality: str, tmp_path: Path) -> None:
    encoders = {name: one for name, one in OTHERS.items()
                if ENCODERS.get(one[0]).modality == modality}
    predictor = untrained(encoders, options={"hidden": 8})
    graph, description = graph_of(predictor)
    outputs = [f"of {name}" for name in encoders]
    model = written(Encoded(graph), description, outputs, tmp_path / "model.onnx")
    for rows in every_case(predictor):
        with torch.inference_mode():
            features, _ = predictor.model.encoded(prepared(predictor, rows), rows=len(rows))
            pooled = [one.pooled().numpy() for one in features]
        for name, own, found in zip(encoders, pooled, raw(model, outputs, rows), strict=True):
            apart = np.abs(own - found).max()
            assert apart < AGREE, (name, len(rows), apart)


FUSED = {n: STANDARD[n] for n in ("cells", "words")}
"""Two inputs, as the exporter's time grows with their pairs; whole models below have four."""
ANSWERING = ("concat", "late", "late, arithmetic")
"""A head is asked for one view, and for several in both ways that they are averaged."""


def test_every_other_fusion_gives_the_same_answers(tmp_path: Path) -> None:
    small = {n: {"hidden": 8} | ({"input_width": 4} if "input_width" in options_of(c) else {})
             for n, c in FUSIONS.classes().items() if n != STANDARD_FUSION}
    models = {n: untrained(FUSED, n, options).model for n, options in small.items()}
    models["late, arithmetic"] = untrained(
        FUSED, "late", small["late"] | {"mean": "arithmetic"}).model
    widths = [encoder.width for encoder in models["concat"].encoders]
    whole = Fusions(models, ANSWERING).eval().requires_grad_(False)
    given = features_of(widths, 2, 6, np.ones((2, 2), bool))
    with torch.inference_mode():
        outputs = list(whole(given))
    sides = {n: {0: "batch"} | ({1: f"steps {n[-1]}"} if n[-1] == "1" else {}) for n in given}
    file = tmp_path / "model.onnx"
    write_onnx(traced(whole, given, sides), file, list(given), outputs, {}, sides)
    session = InferenceSession(file, providers=["CPUExecutionProvider"])
    subsets = all_subsets(2)
    cases = [(rows, length, np.tile(subset, (rows, 1)))
             for rows in (1, 3) for length in (1, 11) for subset in subsets]
    cases.append((len(subsets), 7, subsets))  # who is there differs from row to row
    for rows, length, present in cases:
        given = features_of(widths, rows, length, present, seed=rows)
        with torch.inference_mode():
            own = whole(given)
        found = session.run(outputs, {n: t.numpy() for n, t in given.items()})
        for name, one in zip(outputs, found, strict=True):
            apart = np.abs(own[name].numpy() - one).max()
            assert apart < AGREE, (name, rows, length, present, apart)


TEMPERATURES = {"kind": [(list(STANDARD), 2.0), (["words"], 0.5), (["image", "cells"], 0.25)]}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Model]:
    """A model of every kind of input and target, and the same as ONNX."""
    predictor = untrained(STANDARD, STANDARD_FUSION, {"hidden": 8})
    return predictor, exported_both(predictor, tmp_path_factory.mktemp("whole"), TEMPERATURES)


@pytest.fixture(scope="module")
def for_torch(whole: tuple[Any, Model]) -> Iterator[ModuleType]:
    """The module that travels with a model for torch."""
    shipped = Path(predict.__file__).parent
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "predict", predict)  # it stands beside in an exported folder
        spec = importlib.util.spec_from_file_location("model", shipped / "model.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        yield module


def temperature(present: set[str]) -> float:
    """As a calibration has it: of all inputs where a subset is not listed, 1 of nothing."""
    listed = {frozenset(names): t for names, t in TEMPERATURES["kind"]}
    return listed.get(frozenset(present), 2.0) if present else 1.0


def test_a_whole_model_answers_the_same(whole: tuple[Any, Model]) -> None:
    predictor, model = whole
    for rows in every_case(predictor):
        with torch.inference_mode():
            own = predictor.model(prepared(predictor, rows), rows=len(rows))
        by = torch.tensor([[temperature(set(row))] for row in rows])
        own["kind"] = own["kind"] / by
        found = model.run(rows)
        for name, task in predictor.model.tasks.items():
            for at, answer in enumerate(task.answers(own[name])):
                if answer.value is not None:
                    assert found[name][at] == pytest.approx(answer.value, abs=1e-4)
                else:
                    scores = [answer.scores[c] for c in task.classes]
                    np.testing.assert_allclose(found[name][at], scores, atol=AGREE)


def test_the_code_for_torch_answers_the_same(
    whole: tuple[Any, Model], for_torch: ModuleType
) -> None:
    predictor, model = whole
    own = for_torch.Model(model.folder)
    for rows in every_case(predictor):
        for one, other in zip(own.run(rows).values(), model.run(rows).values(), strict=True):
            np.testing.assert_allclose(one, other, atol=AGREE, rtol=1e-5)


def test_the_code_for_torch_can_be_trained_on(
    whole: tuple[Any, Model], for_torch: ModuleType
) -> None:
    predictor, model = whole
    network = for_torch.Network(model.folder)
    given = {"present": torch.ones(3, 4, dtype=torch.bool)}
    rows = contents(predictor, 3, 1.0)
    for name, spec in model.inputs.items():
        given |= {n: torch.from_numpy(t) for n, t in model._tensors(
            name, spec, [row[name] for row in rows]).items()}
    network(given)["kind_scores"][:, 0].sum().backward()
    moved = {n.replace("|", ".") for n, p in network.named_parameters()
             if p.grad is not None and p.grad.abs().sum() > 0}
    for part in ("fusion", "encoders.0", "encoders.1", "encoders.2", "encoders.3", "onnx_w0"):
        assert any(part in name for name in moved), part


def test_what_stands_where_an_input_is_absent_changes_nothing(whole: tuple[Any, Model]) -> None:
    predictor, model = whole
    rows = contents(predictor, 3, 1.0)
    feed: dict[str, np.ndarray] = {}
    for name, spec in model.inputs.items():
        feed |= model._tensors(name, spec, [row[name] for row in rows])
    present = np.zeros((3, len(model.inputs)), dtype=bool)
    present[:, 1] = True
    found = model.session.run(None, feed | {"present": present})
    alone = model.run([{"words": row["words"]} for row in rows])
    for output, own in zip(found, alone.values(), strict=True):
        np.testing.assert_array_equal(output, own)


def test_the_file_explains_itself(whole: tuple[Any, Model]) -> None:
    import onnx

    _, model = whole
    (path,) = model.folder.glob("*.onnx")
    file = onnx.load(str(path))
    onnx.checker.check_model(file)
    assert file.opset_import[0].version >= 18
    assert {node.domain for node in file.graph.node} == {""}
    sides = {i.name: [d.dim_param or d.dim_value for d in i.type.tensor_type.shape.dim]
             for i in file.graph.input}
    assert sides == {
        "image": ["batch", 3, 16, 16], "words": ["batch", "words_tokens"],
        "words_mask": ["batch", "words_tokens"], "sound": ["batch", "sound_samples"],
        "sound_length": ["batch"], "cells": ["batch", 4, 4], "present": ["batch", 4]}
    assert [o.name for o in file.graph.output] == [
        "kind_scores", "tags_scores", "size_value", "embedding"]
    assert model.schema["temperatures"]["tags"] == []
    assert {"inputs": ["words"], "temperature": 0.5} in model.schema["temperatures"]["kind"]


def test_soundnet_answers_the_same_for_short_and_long_sounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contract, "LONGEST_S", 4.0)  # what is below 1.5 s is repeated
    predictor = untrained(
        {"sound": ("pretrained_audio", SMALL | {"model": str(tiny_soundnet()), "tokens": 5})},
        options={"hidden": 8})
    model = exported_both(predictor, tmp_path, {})
    for rows in every_case(predictor):
        with torch.inference_mode():
            own = predictor.model(prepared(predictor, rows), rows=len(rows))
        kinds = [answer.scores for answer in predictor.model.tasks["kind"].answers(own["kind"])]
        found = model.run(rows)["kind"]
        assert np.abs(found - [list(one.values()) for one in kinds]).max() < AGREE


class Counting(Encoder):
    """An encoder of one's own that looks at numbers as it goes."""

    name, modality, width = "counting", "text", 4

    def forward(self, values: torch.Tensor, mask: torch.Tensor | None) -> Features:
        most = int(values.max().item())
        return Features(torch.zeros(values.shape[0], max(1, most), 4),
                        torch.ones(values.shape[0], max(1, most), dtype=torch.bool))


def test_a_component_that_cant_be_exported_is_named(tmp_path: Path) -> None:
    predictor = untrained({"cells": STANDARD["cells"], "words": STANDARD["words"]},
                          options={"hidden": 8})
    predictor.model.encoders[1] = Counting({})
    with pytest.raises(UserError, match=r"The encoder 'counting', a component of your own, of the "
                                        r"input 'words' can't be exported"):
        exported(predictor, tmp_path / "model.onnx", {})
