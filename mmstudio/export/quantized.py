"""The same model with weights of 8 bits, and what that costs, measured on rows of the data."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmstudio.data.prepare import Dataset, Progress
from mmstudio.data.schema import values_of
from mmstudio.errors import UserError
from mmstudio.export.onnx_file import first_line
from mmstudio.export.shipped.predict import AGREE, AT_ONCE, Model, PredictError, self_test
from mmstudio.inference.evaluate import Asked, rows_asked, weights_of
from mmstudio.inference.predictor import Predictor
from mmstudio.tasks.kinds import LABEL_SET, NUMBER, metric_named
from mmstudio.training.validate import figures_of

OPERATORS = ("MatMul", "Gemm")
"""What linear layers are in ONNX. Convolutions of 8 bits are slower than those of 32 in the runtime
on most processors, and its recurrent ones are no operators of the standard."""
LINEAR = ("torch.nn.modules.linear.", "torch.nn.modules.activation.MultiheadAttention")
EXACT = ("mmstudio.tasks.", "mmstudio.combining.")
"""Heads and quick models keep their 32 bits: they are small, and scores rest on their digits."""
CLASSES = "pkg.torch.onnx.class_hierarchy"
"""Where the exporter notes whose code a node is of."""
MOST_ROWS = 5000
MOST_LOST = 0.05
"""Of a share, such as an accuracy; of an error, as a share of it: more is refused."""
TOLERANCE = 2.0
"""Other processors round otherwise: so many times the largest difference here agrees elsewhere."""
HINT = "Nothing was exported: export without --quantize."


@dataclass(frozen=True)
class Quantized:
    """What 8 bits cost.

    Attributes:
        split: Whose rows were answered: ``test``, or ``validation`` where no row is for testing.
        rows: How many.
        before: Per target its figures with weights of 32 bits.
        after: The same with those of 8.
        main: Per target the figure that is told first.
        sizes: Bytes of the file before and after.
        agree: Scores of the self-test may differ by so much from those of the app.
    """

    split: str
    rows: int
    before: Mapping[str, Mapping[str, float]]
    after: Mapping[str, Mapping[str, float]]
    main: Mapping[str, str]
    sizes: tuple[int, int]
    agree: float

    def to_json(self) -> dict[str, Any]:
        """As ``schema.json`` has it."""
        return {"split": self.split, "rows": self.rows, "before": dict(self.before),
                "after": dict(self.after), "bytes": list(self.sizes)}

    def lines(self) -> list[str]:
        """Per target its main figure before and after, for people."""
        return [f"{task} {figure}: {self.before[task][figure]:.3f} with 32 bits, "
                f"{self.after[task][figure]:.3f} with 8"
                for task, figure in self.main.items()
                if figure in self.before.get(task, {}) and figure in self.after.get(task, {})]


def quantize(
    run: Path, folder: Path, schema: dict[str, Any]
) -> Generator[Progress, None, Quantized]:
    """Put weights of 8 bits in place of those of a folder that was exported and proven.

    Its ``schema.json`` then tells the cost, and how far its scores may be from the app's.

    Args:
        run: The run folder.
        folder: The exported one, with its self-test.
        schema: As the folder has it.

    Yields:
        Progress.

    Raises:
        UserError: It can't be done, can't be measured, or costs too much; says how much.
        OSError: It can't be written.
    """
    message = "Measuring weights of 8 bits"
    yield Progress(message, 0, 1)
    whole, small = folder / "model.onnx", folder / "model.int8.onnx"
    _quantize(whole, small)
    asked = yield from _rows(run)
    rows = asked.dataset.rows(asked.split)
    rows = rows[np.linspace(0, len(rows) - 1, min(MOST_ROWS, len(rows))).round().astype(int)]
    found = []
    for number, file in enumerate((whole, small)):
        outputs = yield from _outputs(
            Model(file), asked, rows, f"{message} ({'as it is' if number == 0 else '8 bits'})")
        found.append(_figures(asked, outputs, rows))
    asked.noted()
    sizes = (whole.stat().st_size, small.stat().st_size)
    small.replace(whole)
    tested = Model(folder)
    tested.agree = math.inf  # how far it is off is what is asked
    largest = self_test(tested)["largest"]
    main = {n: task.main_metric for n, task in asked.predictor.model.tasks.items()}
    told = Quantized(asked.split, len(rows), found[0], found[1], main, sizes,
                     max(AGREE, TOLERANCE * largest))
    _refuse_loss(told, largest)
    schema |= {"quantized": told.to_json(), "agree": told.agree}
    _write_schema(folder, schema)
    return told


def _quantize(whole: Path, small: Path) -> None:
    """Write the file with weights of 8 bits beside."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    layers = _linear_layers(whole)
    if not layers:
        raise UserError("No layer of this model can be brought to 8 bits: it has no linear ones "
                        "between encoders and heads.", HINT)
    logger = logging.getLogger()
    before = logger.level
    logger.setLevel(logging.ERROR)  # it recommends steps that are of no use here
    try:
        # seven bits of eight: sums of all eight overflow on processors without VNNI
        quantize_dynamic(whole, small, op_types_to_quantize=list(OPERATORS),
                         nodes_to_quantize=layers, per_channel=True, reduce_range=True,
                         weight_type=QuantType.QInt8)
    except Exception as error:  # of whatever kind the quantizer has
        raise UserError(f"The weights can't be brought to 8 bits: {first_line(error)}",
                        HINT) from error
    finally:
        logger.setLevel(before)


def _linear_layers(file: Path) -> list[str]:
    """The nodes of linear layers, but those that are to stay exact."""
    import onnx

    found = []
    for node in onnx.load(str(file), load_external_data=False).graph.node:
        classes = next((p.value for p in node.metadata_props if p.key == CLASSES), "")
        if (node.op_type in OPERATORS and any(name in classes for name in LINEAR)
                and not any(name in classes for name in EXACT)):
            found += [node.name, f"{node.name}_MatMul"]  # as the quantizer renames a Gemm
    return found


def _rows(run: Path) -> Generator[Progress, None, Asked]:
    """The test rows, else the validation's."""
    try:
        return (yield from rows_asked(run, "test", None, "cpu"))
    except UserError as error:
        first = error
    try:
        return (yield from rows_asked(run, "validation", None, "cpu"))
    except UserError:
        raise UserError(f"What 8 bits cost can't be measured: {first.message}", HINT) from None


def _outputs(
    model: Model, asked: Asked, rows: np.ndarray, message: str
) -> Generator[Progress, None, dict[str, np.ndarray]]:
    """Per target what its head would give, of an exported model."""
    settings = asked.predictor.experiment.active_inputs
    values = {n: values_of(asked.dataset.table, i) for n, i in settings.items()}
    parts: dict[str, list[np.ndarray]] = {name: [] for name in model.targets}
    for start in range(0, len(rows), AT_ONCE):
        yield Progress(message, start, len(rows))
        some = rows[start : start + AT_ONCE]
        decoded = [_decoded(model, {n: v[row] for n, v in values.items()}) for row in some]
        found = model.run(decoded)
        for name, target in model.targets.items():
            by = np.array([model.temperature(name, one) for one in decoded])
            parts[name].append(_unscored(target, found[name].astype(np.float64), by))
    return {name: np.concatenate(p) for name, p in parts.items()}


def _decoded(model: Model, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """What of a row can be read, as in training."""
    found: dict[str, np.ndarray] = {}
    for name, value in inputs.items():
        try:
            found |= model.decode({name: value})
        except PredictError:
            continue
    return found


def _unscored(
    target: Mapping[str, Any], scores: np.ndarray, temperatures: np.ndarray
) -> np.ndarray:
    """From answers back to what the head gave: logits, or deviations from the mean ``(N, 1)``."""
    if target["task"] == NUMBER.task:
        return np.asarray(((scores - target["mean"]) / max(target["deviation"], 1e-12))[:, None])
    safe = scores.clip(1e-30, 1.0)
    logits = np.log(safe)
    if target["task"] == LABEL_SET.task:
        logits = logits - np.log((1 - scores).clip(1e-30, 1.0))
    return np.asarray(logits * temperatures[:, None])


def _figures(
    asked: Asked, outputs: Mapping[str, np.ndarray], rows: np.ndarray
) -> dict[str, dict[str, float]]:
    dataset: Dataset = asked.dataset
    predictor: Predictor = asked.predictor
    labels = {n: labels.of(rows) for n, labels in dataset.labels.items()}
    found = figures_of(predictor.model, {n: o.astype(np.float32) for n, o in outputs.items()},
                       labels, weights_of(predictor))
    # nan, as of a target that no row has a label of, is not JSON
    return {name: {f: float(v) for f, v in figures.items() if math.isfinite(v)}
            for name, figures in found.items() if name != "loss"}


def _refuse_loss(told: Quantized, largest: float) -> None:
    """Refuse what nobody would want."""
    if not math.isfinite(largest):
        raise UserError("With weights of 8 bits the model answers no numbers.", HINT)
    for task, figure in told.main.items():
        before, after = told.before[task].get(figure), told.after[task].get(figure)
        if before is None or after is None or not math.isfinite(before):
            continue
        metric = metric_named(figure)
        lost = before - after if metric.higher_is_better else after - before
        allowed = MOST_LOST if metric.share or metric.higher_is_better else MOST_LOST * before
        if not lost <= allowed:
            raise UserError(
                f"Weights of 8 bits cost too much: {metric.title} of '{task}' goes from "
                f"{before:.3f} to {after:.3f} on {told.rows:,} {told.split} rows.", HINT)


def _write_schema(folder: Path, schema: Mapping[str, Any]) -> None:
    """Into ``schema.json`` and the file, which explains itself when it is alone."""
    import onnx

    model = onnx.load(str(folder / "model.onnx"))
    properties: dict[str, str] = {p.key: p.value for p in model.metadata_props}
    properties["mmstudio"] = json.dumps(schema, ensure_ascii=False)
    onnx.helper.set_model_props(model, properties)
    onnx.save(model, str(folder / "model.onnx"))
    write_schema(folder, schema)


def write_schema(folder: Path, schema: Mapping[str, Any]) -> None:
    """Write ``schema.json``."""
    (folder / "schema.json").write_text(
        json.dumps(schema, ensure_ascii=False, indent=1), encoding="utf-8")


def table_of(told: Quantized) -> Sequence[str]:
    """The cost as a Markdown table's lines, for the card."""
    lines = ["| target | figure | 32 bits | 8 bits |", "|---|---|---|---|"]
    lines += [f"| `{task}` | {figure} | {value:.3f} | {told.after[task][figure]:.3f} |"
              for task, figures in told.before.items() for figure, value in figures.items()
              if math.isfinite(value) and figure in told.after[task]]
    return lines
