"""Models of components that are not trained, as a run would have them, and their export."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import nn

from mmstudio.data.batches import InputBatch, places_of
from mmstudio.data.schema import Schema
from mmstudio.encoders import ENCODERS, Features
from mmstudio.experiment import Experiment
from mmstudio.export.description import Description, describe, example, side_names
from mmstudio.export.exporting import write_model
from mmstudio.export.graph import Graph, Temperatures
from mmstudio.export.onnx_file import traced, write_onnx
from mmstudio.export.primitives import OfProducts
from mmstudio.export.shipped.predict import Model
from mmstudio.export.torch_files import write_torch
from mmstudio.modalities.text import TextModality
from mmstudio.training.model import MultimodalModel, build_model, completed
from mmstudio.training.shapley import all_subsets
from tests.components import WORDS, needed, spec_for, stir

TARGETS: dict[str, dict[str, Any]] = {
    "kind": {"classes": ["a", "b", "c"], "counts": [5, 3, 2]},
    "tags": {"classes": ["x", "y"], "counts": [4, 1], "rows": 10, "separator": ";"},
    "size": {"mean": 40.0, "deviation": 8.0},
}
TASKS = {"kind": "classification", "tags": "multilabel", "size": "regression"}
LONGEST_S, RATE_HZ = 0.9, 8000


def untrained(
    encoders: Mapping[str, tuple[str, Mapping[str, Any]]], fusion: str = "concat",
    options: Mapping[str, Any] = {},
) -> Any:
    """What ``describe`` reads of a predictor, of a model with random weights.

    Args:
        encoders: Per input the encoder's name and options.
        fusion: Its name.
        options: The fusion's.
    """
    inputs, specs = {}, {}
    for name, (encoder, more) in encoders.items():
        cls = ENCODERS.get(encoder)
        chosen = needed(cls) | dict(more)
        specs[name] = _spec(cls, chosen)
        column = {"columns": ["age"]} if cls.modality == "tabular" else {"column": name}
        inputs[name] = column | {
            "modality": cls.modality, "encoder": {"name": encoder, **chosen}}
    experiment = completed(Experiment.from_dict({
        "data": {"table": "t.csv"}, "inputs": inputs, "fusion": {"name": fusion, **options},
        "targets": {n: {"task": t} for n, t in TASKS.items()}}))
    schema = Schema(specs, TARGETS)
    torch.manual_seed(0)
    model = build_model(experiment, schema).eval()
    for parts in (model.encoders, model.fusion, model.heads):
        stir(parts)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return SimpleNamespace(
        model=model, schema=schema, experiment=experiment, run=SimpleNamespace(name="run"),
        inputs={n: i.modality for n, i in experiment.active_inputs.items()}, tasks=TASKS,
        usual_errors={}, separators={"tags": ";"})


def _spec(cls: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    from mmstudio.experiment import Component, InputSettings
    from mmstudio.pretrained.preprocessing import wanted

    spec = spec_for(cls)
    if "model" in options:
        settings = InputSettings("c", cls.modality, Component(cls.name, dict(options)))
        spec |= wanted(settings)
    if cls.modality == "audio":
        spec["max_seconds"] = LONGEST_S
    return spec


def contents(predictor: Any, rows: int, length: float, seed: int = 0) -> list[dict[str, Any]]:
    """Decoded contents, as ``predict.Model.decode`` gives them, of rows of unequal length.

    Args:
        predictor: As ``untrained`` gave it.
        rows: How many.
        length: Of the longest, as a share of the longest that there is.
        seed: Of the contents.
    """
    chance = np.random.default_rng(seed)
    found: list[dict[str, Any]] = []
    for row in range(rows):
        share = length * (1 - 0.6 * row / max(1, rows))
        one: dict[str, Any] = {}
        for name, kind in predictor.inputs.items():
            spec = predictor.schema.inputs[name]
            if kind == "image":
                one[name] = chance.integers(
                    0, 256, (spec["channels"], *spec["size"]), dtype=np.uint8)
            elif kind == "audio":
                rate = spec["sample_rate_hz"]
                count = max(40, round(share * LONGEST_S * rate))
                tone = np.sin(np.arange(count) * (0.1 + 0.2 * row)) * 0.3
                one[name] = (tone + 0.05 * chance.normal(size=count)).astype(np.float32)
            elif kind == "text":
                text = f"{WORDS[row % 4]} car🙂 {WORDS[(row + 1) % 4]} {row}"
                ids = TextModality().decode(text * 2, spec).astype(np.int64)
                one[name] = ids[: max(1, round(share * len(ids)))]
            else:
                one[name] = _cells(spec, chance)
        found.append(one)
    return found


def _cells(spec: Mapping[str, Any], chance: np.random.Generator) -> np.ndarray:
    from mmstudio.modalities.tabular import TabularModality

    record = {c["name"]: chance.choice([*c["words"], "new"] if c["kind"] == "category"
                                       else [str(k) for k in c["knots"]])
              for c in spec["columns"]}
    return TabularModality().decode_held(record, spec)


def prepared(predictor: Any, rows: Sequence[Mapping[str, Any]]) -> dict[str, InputBatch]:
    """The same contents as the app's model takes them."""
    found = {}
    for name, modality in predictor.model.modalities.items():
        arrays = [row.get(name) for row in rows]
        if all(a is None for a in arrays):
            continue
        if modality.name == "image":
            arrays = [None if a is None else a.transpose(1, 2, 0) for a in arrays]
        if modality.name == "audio":
            arrays = [None if a is None else np.round(np.clip(a, -1, 1) * 32767).astype(np.int16)
                      for a in arrays]
        values, mask = modality.collate(arrays, predictor.schema.inputs[name])
        present = torch.tensor([a is not None for a in arrays])
        found[name] = InputBatch(modality.prepare(values), mask, present,
                                 there=places_of(present))
    return found


class Encoded(nn.Module):
    """Per input the mean of its encoder's tokens, in place of the graph's answers."""

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.whole = graph

    def forward(self, given: dict[str, torch.Tensor]) -> tuple[torch.Tensor, ...]:
        with OfProducts():
            present = given[self.whole.present]
            return tuple(self.whole._features(i, n, given, present[:, i]).pooled()
                         for i, n in enumerate(self.whole.model.names))


class Fusions(nn.Module):
    """What several fusions make of the same features, and what their heads answer.

    The features come as they are, without encoders: of every fusion its views and weights, and
    the answers of those models that are named ``answering``.
    """

    def __init__(self, models: Mapping[str, MultimodalModel], answering: Sequence[str]) -> None:
        super().__init__()
        self.models = nn.ModuleDict(models)
        self.answering = tuple(answering)

    def forward(self, given: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Per fusion ``NAME views``, ``NAME weights`` and, of some, ``NAME answers``."""
        found = {}
        with OfProducts():
            count = given["present"].shape[1]
            features = [Features(given[f"tokens{i}"], given[f"mask{i}"]) for i in range(count)]
            for name, model in self.models.items():
                fused = model.fusion(features, given["present"])
                found[f"{name} views"], found[f"{name} weights"] = fused.views, fused.weights
                if name in self.answering:
                    found[f"{name} answers"] = torch.cat(
                        [head(fused) for head in model.heads], dim=1)
        return found


def features_of(
    widths: Sequence[int], rows: int, length: int, present: np.ndarray, seed: int = 0
) -> dict[str, torch.Tensor]:
    """What ``Fusions`` takes: the first input has always four tokens, the others up to ``length``.

    Args:
        widths: Per input the width of its tokens.
        rows: B.
        length: Tokens of the longest row.
        present: ``(B, M)``; of an absent input one token is real, as the model has it.
        seed: Of the tokens.
    """
    chance = torch.Generator().manual_seed(seed)
    there = torch.from_numpy(present)
    given = {"present": there}
    for i, width in enumerate(widths):
        steps = length if i else 4
        real = torch.randint(1 if i else steps, steps + 1, (rows,), generator=chance)
        real[0] = steps
        real = torch.where(there[:, i], real, 1)
        given[f"tokens{i}"] = torch.randn(rows, steps, width, generator=chance)
        given[f"mask{i}"] = torch.arange(steps) < real.unsqueeze(1)
    return given


def graph_of(predictor: Any) -> tuple[Graph, Description]:
    """The graph of a model, and its description."""
    description = describe(predictor, {})
    return Graph(predictor.model, description.tensors, description.schema["present"],
                 {}), description


def written(
    module: nn.Module, description: Description, outputs: list[str], path: Path
) -> Model:
    """A module over the graph's tensors as ONNX, opened by ``predict.py``."""
    given, sides = example(description)
    write_onnx(traced(module, given, sides), path, list(given), outputs, description.metadata,
               side_names(description, sides))
    return Model(path)


def exported(predictor: Any, path: Path, temperatures: Temperatures) -> Model:
    """A whole model as ONNX, opened by ``predict.py``."""
    write_model(predictor, describe(predictor, temperatures), path, temperatures)
    return Model(path)


def exported_both(predictor: Any, folder: Path, temperatures: Temperatures) -> Model:
    """A whole model as ONNX, opened, and beside it as code for torch, of one trace."""
    description = describe(predictor, temperatures)
    graph = Graph(predictor.model, description.tensors, description.schema["present"],
                  temperatures)
    given, sides = example(description)
    program = traced(graph, given, sides)
    write_torch(program, folder, list(given), description.outputs)
    (folder / "schema.json").write_text(json.dumps(description.schema), encoding="utf-8")
    for name, text in description.tokenizers.items():
        file = folder / description.schema["inputs"][name]["tokenizer"]
        file.write_text(text, encoding="utf-8")
    path = folder / "model.onnx"
    write_onnx(program, path, list(given), description.outputs, description.metadata,
               side_names(description, sides))
    return Model(path)


def every_case(predictor: Any) -> list[list[dict[str, Any]]]:
    """Batches of one and three rows, short and long, of every subset of up to five inputs.

    Of more inputs all, none, and each one absent.
    """
    names = list(predictor.inputs)
    subsets = (all_subsets(len(names)) if len(names) <= 5 else np.concatenate([
        np.ones((1, len(names)), bool), np.zeros((1, len(names)), bool),
        ~np.eye(len(names), dtype=bool)]))
    batches = []
    for rows, length in ((1, 0.1), (1, 1.0), (3, 0.15), (3, 1.0)):
        whole = contents(predictor, rows, length, seed=rows)
        batches += [[{n: row[n] for n, there in zip(names, subset, strict=True) if there}
                     for row in whole] for subset in subsets]
    # who is present differs from row to row
    whole = contents(predictor, 3, 1.0, seed=9)
    batches.append([{n: v for at, (n, v) in enumerate(row.items()) if (at + r) % 2}
                    for r, row in enumerate(whole)])
    return batches


def raw(model: Model, outputs: list[str], rows: Sequence[Mapping[str, Any]]) -> list[np.ndarray]:
    """The named outputs of a file for decoded contents."""
    feed: dict[str, np.ndarray] = {model.schema["present"]: np.array(
        [[n in row for n in model.inputs] for row in rows])}
    for name, spec in model.inputs.items():
        feed |= model._tensors(name, spec, [row.get(name) for row in rows])
    return model.session.run(outputs, {n: a for n, a in feed.items() if n in model._read})
