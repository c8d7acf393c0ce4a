"""What an exported model says of itself: ``schema.json``, which is in the ONNX file too."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

import mmstudio
from mmstudio.encoders.text_ngrams import TextNgrams
from mmstudio.errors import UserError
from mmstudio.export.carried.base import ROWS, Carried, carried, carried_names
from mmstudio.export.graph import Temperatures, Tensors
from mmstudio.export.pruning import blocks_in_use, counting
from mmstudio.export.rewritten import OPSET
from mmstudio.inference.predictor import Predictor
from mmstudio.tasks import LABEL_SET, NUMBER, ONE_LABEL, Task

FORMAT = 1
TASKS = (ONE_LABEL.task, LABEL_SET.task, NUMBER.task)
EXAMPLE_NGRAMS = 64


@dataclass(frozen=True)
class Description:
    """The names, shapes and settings of an exported model.

    Attributes:
        schema: Plain data, as ``schema.json`` has it.
        tensors: Per input the names of its tensors.
        tokenizers: Per text input its tokenizer, as JSON text.
        outputs: The names of the graph's outputs, in order.
    """

    schema: dict[str, Any]
    tensors: dict[str, Tensors]
    tokenizers: dict[str, str]
    outputs: list[str]

    @property
    def metadata(self) -> dict[str, str]:
        """What stands in the ONNX file, so that it explains itself when it is alone."""
        found = {"mmstudio": json.dumps(self.schema, ensure_ascii=False)}
        if self.tokenizers:
            found["tokenizers"] = json.dumps(self.tokenizers, ensure_ascii=False)
        return found


def describe(
    predictor: Predictor, temperatures: Temperatures, folders: Mapping[str, str] = {},
) -> Description:
    """Describe a run's model.

    Args:
        predictor: The run's.
        temperatures: What logits are divided by; empty where nothing was calibrated.
        folders: Per input where its files are, relative to a table, as ``file_folders`` gives it.

    Raises:
        UserError: An input or a target is of a kind that can't be exported; names it.
    """
    _check_kinds(predictor)
    taken: set[str] = set(predictor.inputs)
    tensors = {name: _tensors(predictor, name, taken) for name in predictor.inputs}
    settings = predictor.experiment.active_inputs
    inputs: dict[str, Any] = {}
    tokenizers: dict[str, str] = {}
    for name, kind in predictor.inputs.items():
        spec = predictor.schema.inputs[name]
        carrier = _carrier(kind)
        inputs[name] = {
            "modality": kind, "column": settings[name].column,
            "tensors": _named(carrier, tensors[name])} | carrier.settings(spec)
        if name in folders:
            inputs[name]["folder"] = folders[name]
        if carrier.tokenized:
            inputs[name]["tokenizer"] = _tokenizer_file(len(tokenizers))
            tokenizers[name] = spec["tokenizer"]
    targets, outputs = {}, []
    for name, task in predictor.model.tasks.items():
        output = _apart(f"{name}_{'value' if task.kind.numeric else 'scores'}", taken)
        outputs.append(output)
        targets[name] = {"task": task.name, "output": output} | _answers(predictor, name, task)
    schema = {
        "format": FORMAT, "mmstudio": mmstudio.__version__, "opset": OPSET,
        "run": predictor.run.name, "fusion": predictor.experiment.fusion.name,
        "inputs": inputs, "targets": targets, "present": _apart("present", taken),
        "embedding": _apart("embedding", taken), "embedding_width": predictor.model.fusion.width,
        "temperatures": {n: [{"inputs": list(subset), "temperature": temperature}
                             for subset, temperature in temperatures.get(n, ())]
                         for n in targets},
    }
    return Description(schema, tensors, tokenizers, [*outputs, str(schema["embedding"])])


def _check_kinds(predictor: Predictor) -> None:
    for name, kind in predictor.inputs.items():
        if carried(kind) is None:
            raise UserError(f"The input '{name}' is of the modality '{kind}', which is your own: "
                            "how its content is read can't be exported.",
                            f"Inputs of {', '.join(carried_names())} can be.")
    for name, task in predictor.tasks.items():
        if task not in TASKS:
            raise UserError(f"The target '{name}' has the task '{task}', which is your own: how "
                            "it answers can't be exported.", f"{', '.join(TASKS)} can be.")


def _apart(name: str, taken: set[str]) -> str:
    """The name, with more behind it where it is taken already."""
    while name in taken:
        name += "_"
    taken.add(name)
    return name


def _carrier(kind: str) -> Carried:
    found = carried(kind)
    if found is None:
        raise TypeError(f"a {kind} can't be exported")  # refused before
    return found


def _tensors(predictor: Predictor, name: str, taken: set[str]) -> Tensors:
    carrier = _carrier(predictor.inputs[name])
    more = _apart(f"{name}_{carrier.more}", taken) if carrier.more else ""
    counts = carrier.tokenized and _counts(predictor, name)
    return Tensors(name, more, _apart(f"{name}_ngrams", taken) if counts else "")


def _counts(predictor: Predictor, name: str) -> bool:
    """Whether something looks at the words and letters of a text, and not at its tokens."""
    i = predictor.model.names.index(name)
    if isinstance(predictor.model.encoders[i], TextNgrams):
        return True
    combination = counting(predictor.model)
    machines = None if combination is None else combination.machines
    return machines is not None and any(
        machines.blocks[b].counts for b in blocks_in_use(machines, i))


def _named(carrier: Carried, tensors: Tensors) -> dict[str, str]:
    found = {"values": tensors.values}
    if carrier.more:
        found[carrier.more] = tensors.more
    if tensors.ngrams:
        found["ngrams"] = tensors.ngrams
    return found


def _tokenizer_file(number: int) -> str:
    return "tokenizer.json" if number == 0 else f"tokenizer.{number + 1}.json"


def _answers(predictor: Predictor, name: str, task: Task) -> dict[str, Any]:
    """What ``predict.py`` needs to word an answer."""
    if task.kind.numeric:
        return {"unit": task.unit, "mean": task.mean, "deviation": task.deviation,
                "usual_error": predictor.usual_errors.get(name)}
    found: dict[str, Any] = {"classes": list(task.classes)}  # type: ignore[arg-type]
    if task.kind.several:
        found |= {"threshold": task.threshold, "separator": predictor.separators[name]}
    return found


def example(
    description: Description,
) -> tuple[dict[str, torch.Tensor], dict[str, tuple[int, ...]]]:
    """Tensors by name, from which the graph is traced, and which of their sides are open."""
    chance = torch.Generator().manual_seed(0)
    given: dict[str, torch.Tensor] = {}
    sides: dict[str, tuple[int, ...]] = {}
    for name, spec in description.schema["inputs"].items():
        tensors, carrier = description.tensors[name], _carrier(spec["modality"])
        given[tensors.values], more = carrier.example(spec, chance)
        sides[tensors.values] = (0, 1) if carrier.side else (0,)
        if more is not None:
            given[tensors.more] = more
            sides[tensors.more] = tuple(range(more.ndim))
        if tensors.ngrams:
            given[tensors.ngrams] = torch.zeros(ROWS, EXAMPLE_NGRAMS, dtype=torch.long)
            sides[tensors.ngrams] = (0, 1)
    present = description.schema["present"]
    given[present] = torch.ones(ROWS, len(description.tensors), dtype=torch.bool)
    sides[present] = (0,)
    return given, sides


def side_names(description: Description, sides: Mapping[str, Sequence[int]]) -> dict[
        str, dict[int, str]]:
    """What the open sides of the graph's inputs are called."""
    carriers = {n: _carrier(i["modality"]) for n, i in description.schema["inputs"].items()}
    lengths = {tensor: carriers[n].side for n, t in description.tensors.items()
               for tensor in (t.values, t.more) if tensor}
    lengths |= {t.ngrams: "ngrams" for t in description.tensors.values() if t.ngrams}
    owners = {tensor: n for n, t in description.tensors.items() for tensor in t.all}
    return {tensor: {side: "batch" if side == 0 else f"{owners[tensor]}_{lengths[tensor]}"
                     for side in open_} for tensor, open_ in sides.items()}
