"""From a run to a folder that answers without the app, and has proven it."""

from __future__ import annotations

import os
import secrets
import shutil
import zipfile
from collections.abc import Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from mmstudio.data.prepare import Progress
from mmstudio.errors import UserError, nearest
from mmstudio.export.card import write_papers
from mmstudio.export.card_figures import card_figures
from mmstudio.export.description import Description, describe, example, side_names
from mmstudio.export.folders import file_folders
from mmstudio.export.graph import Graph, Temperatures
from mmstudio.export.onnx_file import (
    check_installed,
    first_line,
    foreign_operators,
    traced,
    write_onnx,
)
from mmstudio.export.primitives import OfProducts
from mmstudio.export.proof import proven
from mmstudio.export.quantized import Quantized, quantize, write_schema
from mmstudio.export.samples import made_up, of_data, subsets_of, write_answers
from mmstudio.export.shipped.predict import AGREE
from mmstudio.export.torch_files import WEIGHTS, write_torch
from mmstudio.inference.predictor import Predictor

STEPS = ("Loading the model", "Tracing the model", "Writing ONNX", "Asking the app",
         "Answering without the app", "Writing the card")
SHIPPED = Path(__file__).resolve().parent / "shipped"
OWN_SAMPLES, MADE_UP_SAMPLES = "of the data", "made up"
"""What ``samples`` of a schema says of the self-test."""
ONNX, TORCH = KINDS = ("onnx", "torch")
FILES = {ONNX: "model.onnx", TORCH: WEIGHTS}
"""Where each has its weights."""
NOT_FOR_TORCH = ("mmstudio", "transformers", "onnxruntime", "onnx")
TORCH_PROGRAMS = ("predict.py", "model.py")
PROGRAMS = ("predict.py", "serve.py", "page.html")


@dataclass(frozen=True)
class Exported:
    """A folder that was exported.

    Attributes:
        folder: Where it is.
        archive: The ``.zip`` beside it; None where none was asked for.
        largest: The largest difference of a score to the app, of a number in deviations.
        answers: How many answers were compared.
        milliseconds: One sample's mean time in the self-test.
        size_bytes: Of ``model.onnx``, or of the weights for torch.
        quantized: What weights of 8 bits cost; None where they were not asked for.
    """

    folder: Path
    archive: Path | None
    largest: float
    answers: int
    milliseconds: float
    size_bytes: int
    quantized: Quantized | None = None


def temperatures_of(predictor: Predictor) -> Temperatures:
    """What the app divides a run's logits by before they are scores, for subsets of the inputs.

    Empty for a run that was not calibrated. The graph, ``schema.json`` and the card take them from
    here alone.
    """
    calibration: Any = getattr(predictor, "calibration", None)
    if calibration is None:
        return {}
    names = list(predictor.inputs)
    subsets = [one for one in subsets_of(names) if one]
    there = np.array([[n in one for n in names] for one in subsets])
    return {task: list(zip(subsets, calibration.temperatures(task, there).tolist(), strict=True))
            for task, head in predictor.model.tasks.items() if not head.kind.numeric}


def export(
    run: Path, folder: Path, *, zipped: bool = False, include_samples: bool = False,
    quantized: bool = False, kind: str = ONNX,
) -> Iterator[Progress | Exported]:
    """Export a run's best model.

    All is written beside and renamed; who closes the generator leaves nothing behind.

    Args:
        run: The run folder.
        folder: A new one.
        zipped: Write ``FOLDER.zip`` too.
        include_samples: Whether samples of the data may leave the machine with it; made-up ones
            take their place else.
        quantized: Bring the weights of linear layers to 8 bits, and tell what that costs.
        kind: ``onnx``, or ``torch``: weights as safetensors with the code that torch traced.

    Yields:
        Progress, last what was exported.

    Raises:
        UserError: Something can't be exported, which is named, or the answers differ from the
            app's; nothing is left then.
    """
    if kind not in KINDS:
        raise UserError(f"The format '{kind}' is not known.", nearest(kind, KINDS))
    if kind == ONNX:
        check_installed()
    elif quantized:
        raise UserError("Weights of 8 bits are for ONNX alone.", "Leave out one of both.")
    try:
        folder = Path(folder).resolve()
        _check_free(folder, zipped)
    except OSError as error:
        raise _cant_write(folder, error) from None
    yield Progress(STEPS[0], 0, len(STEPS))
    predictor = Predictor(run, "cpu")
    try:
        yield from _exported(predictor, folder, zipped, include_samples, quantized, kind)
    except OSError as error:
        raise _cant_write(folder, error) from None


def _cant_write(folder: Path, error: OSError) -> UserError:
    return UserError(f"{folder} can't be written: {error}.",
                     "Make room there, or choose another folder.")


def _exported(
    predictor: Predictor, folder: Path, zipped: bool, include_samples: bool, quantized: bool,
    kind: str,
) -> Iterator[Progress | Exported]:
    """As ``export``; raises OSError too."""
    beside = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.new")
    try:
        (beside / "selftest").mkdir(parents=True)
        description = yield from _written(predictor, beside, include_samples, kind)
        yield Progress(STEPS[3], 3, len(STEPS))
        take = of_data if include_samples else made_up
        samples = take(predictor, beside / "selftest")
        for _ in write_answers(predictor, samples, beside / "selftest"):
            yield Progress(STEPS[3], 3, len(STEPS))
        for name in PROGRAMS if kind == ONNX else TORCH_PROGRAMS:
            shutil.copyfile(SHIPPED / name, beside / name)
        found = yield from _proven(beside, kind)
        cost = None
        if quantized:
            cost = yield from quantize(predictor.run.path, beside, description.schema)
            found = yield from _proven(beside, kind)
        yield Progress(STEPS[5], 5, len(STEPS))
        figures = yield from card_figures(predictor.run.path)
        write_papers(predictor, description, found, beside, include_samples, figures, cost,
                     kind == TORCH)
        _into_place(beside, folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    archive = _zipped(folder) if zipped else None
    yield Exported(folder, archive, found["largest"], found["answers"], found["milliseconds"],
                   (folder / FILES[kind]).stat().st_size, cost)


def _proven(folder: Path, kind: str) -> Generator[Progress, None, dict[str, Any]]:
    """What the self-test told. Raises UserError where it does not agree with the app."""
    found: dict[str, Any] = {}
    steps = proven(folder) if kind == ONNX else proven(folder, "model.py", NOT_FOR_TORCH)
    for step in steps:
        yield Progress(STEPS[4], 4, len(STEPS))
        found = step or found
    most = found.get("most", AGREE)
    if not found["largest"] <= most:
        raise UserError(
            f"The exported model answers differently from the app: scores differ by up to "
            f"{found['largest']:.1e}, and {most:.0e} is the limit.",
            "Nothing was exported. Report it with the run's experiment.toml.")
    return found


def _check_free(folder: Path, zipped: bool) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} already exists.", "Choose another folder.")
    if not folder.parent.is_dir():
        raise UserError(f"There is no folder {folder.parent}.", "Make it, or choose another.")
    if zipped and _archive(folder).exists():
        raise UserError(f"{_archive(folder)} already exists.", "Choose another folder.")


def _written(
    predictor: Predictor, folder: Path, include_samples: bool, kind: str
) -> Generator[Progress, None, Description]:
    """Write the model, its schema and its tokenizers; gives the description back."""
    temperatures = temperatures_of(predictor)
    description = describe(predictor, temperatures, file_folders(predictor))
    description.schema["samples"] = OWN_SAMPLES if include_samples else MADE_UP_SAMPLES
    yield Progress(STEPS[1], 1, len(STEPS))
    if kind == ONNX:
        write_model(predictor, description, folder / "model.onnx", temperatures)
    else:
        write_network(predictor, description, folder, temperatures)
    yield Progress(STEPS[2], 2, len(STEPS))
    write_schema(folder, description.schema)
    for name, text in description.tokenizers.items():
        file = description.schema["inputs"][name]["tokenizer"]
        (folder / file).write_text(text, encoding="utf-8")
    return description


def write_model(
    predictor: Predictor, description: Description, path: Path, temperatures: Temperatures
) -> None:
    """Write ``model.onnx``.

    Raises:
        UserError: A part can't be exported; names it.
    """
    graph, given, sides = _graph_of(predictor, description, temperatures)
    try:
        program = traced(graph, given, sides)
        write_onnx(program, path, list(given), description.outputs, description.metadata,
                   side_names(description, sides))
    except OSError:
        raise
    except Exception as error:  # of whatever kind a component or the exporter ran into
        raise _refused(graph, given, sides, error) from error
    foreign = foreign_operators(path)
    if foreign:
        raise UserError(f"The model needs operators that ONNX does not have: {', '.join(foreign)}.",
                        "Nothing was exported.")


def _graph_of(
    predictor: Predictor, description: Description, temperatures: Temperatures
) -> tuple[Graph, dict[str, torch.Tensor], dict[str, tuple[int, ...]]]:
    """What is traced, the tensors that it is traced from, and which of their sides are open."""
    graph = Graph(predictor.model, description.tensors, description.schema["present"],
                  temperatures)
    return graph, *example(description)


def write_network(
    predictor: Predictor, description: Description, folder: Path, temperatures: Temperatures
) -> None:
    """Write ``network.py`` and ``model.safetensors``.

    Raises:
        UserError: A part can't be exported; names it.
    """
    graph, given, sides = _graph_of(predictor, description, temperatures)
    try:
        program = traced(graph, given, sides)
    except Exception as error:  # of whatever kind a component ran into
        raise _refused(graph, given, sides, error) from error
    write_torch(program, folder, list(given), description.outputs)


class _OneInput(nn.Module):
    """One input's encoder alone, to find out which one can't be exported."""

    def __init__(self, graph: Graph, at: int) -> None:
        super().__init__()
        self.whole, self.at = graph, at

    def forward(self, given: dict[str, torch.Tensor]) -> torch.Tensor:
        """Its tokens."""
        present = given[self.whole.present][:, self.at]
        name = self.whole.model.names[self.at]
        with OfProducts():
            return self.whole._features(self.at, name, given, present).tokens


def _refused(
    graph: Graph, given: dict[str, torch.Tensor], sides: dict[str, tuple[int, ...]],
    error: Exception,
) -> UserError:
    """What to tell of a model that can't be exported: the part that is to blame, by its name."""
    hint = ("Its code must not look at numbers as it goes: no .item(), no lengths as Python "
            "numbers, no branches on values.")
    for at, name in enumerate(graph.model.names):
        try:
            traced(_OneInput(graph, at), given, sides)
        except Exception as reason:  # as above
            encoder = graph.model.encoders[at]
            return UserError(
                f"The encoder {_title(encoder)} of the input '{name}' can't be exported: "
                f"{first_line(reason)}", hint)
    fusion = graph.model.fusion
    part = f"The fusion {_title(fusion)}" if _is_own(fusion) else "The model"
    return UserError(f"{part} can't be exported: {first_line(error)}", hint)


def _is_own(part: nn.Module) -> bool:
    return not type(part).__module__.startswith("mmstudio.")


def _title(part: Any) -> str:
    own = ", a component of your own," if _is_own(part) else ""
    return f"'{getattr(part, 'name', type(part).__name__)}'{own}"


def _into_place(beside: Path, folder: Path) -> None:
    if folder.is_dir():
        folder.rmdir()  # an empty one
    os.replace(beside, folder)


def _archive(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.zip")


def _zipped(folder: Path) -> Path:
    """The folder as an archive beside it."""
    archive = _archive(folder)
    beside = archive.with_name(f".{archive.name}.{secrets.token_hex(4)}.new")
    try:
        with zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED) as file:
            for path in sorted(p for p in folder.rglob("*") if p.is_file()):
                file.write(path, Path(folder.name) / path.relative_to(folder))
        os.replace(beside, archive)
    except OSError as error:
        raise UserError(f"{archive} can't be written: {error}. The folder {folder} is whole.",
                        "Make room and pack the folder yourself, or use it as it is.") from None
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
    return archive
