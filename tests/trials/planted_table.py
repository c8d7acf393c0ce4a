"""A table with numbers planted beside the spoken digits, and the numbers alone.

    python tests/trials/planted_table.py shared/data/avdigits [--rows 600] [--epochs 12]

Each row's digit decides, with noise, its `pressure` (low or high by parity), its `income` (by size)
and its `town` (one of five, two digits each); a tenth of the cells is missing, and some towns
stand in test rows only. The pictures are noisy, so that they need the help. Trains on the pictures
alone, on the table alone and on both, and asks the last about a new town, a missing number and an
empty row.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl
from PIL import Image

from mmstudio.experiment import Experiment
from mmstudio.inference.evaluate import Evaluation, evaluate
from mmstudio.inference.predictor import Predictor
from mmstudio.project.proposal import propose
from mmstudio.training.loop import train

TOWNS = ("Oslo", "Rome", "Lima", "Cairo", "Quito")
CONTRAST, NOISE = 0.3, 70.0
"""Of the pictures: what is left of the grey levels, and the deviation of the noise on them."""
COLUMNS = ["pressure", "income", "town"]


def main() -> None:
    """Make the table, train three times, print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--rows", type=int, default=600)
    parser.add_argument("--epochs", type=int, default=12)
    given = parser.parse_args()
    with TemporaryDirectory() as place:
        folder = Path(place)
        plant(given.data, folder / "table.csv", given.rows)
        proposal = propose(folder / "table.csv")
        told = {c.name: c.modality or c.task or c.role for c in proposal.columns}
        print(json.dumps({"proposed": told}), flush=True)
        picture = {"column": "file_name", "modality": "image"}
        table = {"columns": COLUMNS, "modality": "tabular"}
        for name, inputs in {"picture": {"picture": picture}, "table": {"table": table},
                             "both": {"picture": picture, "table": table}}.items():
            print(json.dumps({"inputs": name} | run(folder, name, inputs, given.epochs)),
                  flush=True)
        print(json.dumps(asked(Predictor(folder / "runs" / "both"))), flush=True)


def plant(data: Path, path: Path, rows: int) -> None:
    """Write the table with its planted columns, and noisy copies of the pictures."""
    frame = pl.read_csv(data / "metadata.csv", infer_schema=False).drop("text", "audio")
    frame = frame.sample(min(rows, len(frame)), seed=0, shuffle=True)
    digit = frame["digit"].cast(pl.Int64).to_numpy()
    chance = np.random.default_rng(0)
    pressure = 60 + 14 * (digit % 2) + chance.normal(0, 6, len(digit))
    income = np.exp(0.25 * digit + chance.normal(0, 0.5, len(digit)))
    wrong = chance.random(len(digit)) < 0.15
    town = np.where(wrong, chance.integers(0, 5, len(digit)), digit // 2)
    words = [TOWNS[t] for t in town]
    missing = chance.random((len(digit), 3)) < 0.1
    new = (chance.random(len(digit)) < 0.1) & (frame["split"] == "test").to_numpy()
    (path.parent / "images").mkdir()
    for name in frame["file_name"]:
        grey = np.asarray(Image.open(data / name).convert("L"), dtype=np.float64)
        noisy = CONTRAST * grey + chance.normal(100, NOISE, grey.shape)
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(path.parent / name)
    frame.with_columns(
        pl.Series("pressure", [None if m else f"{w:.1f} kg" for w, m in zip(
            pressure, missing[:, 0], strict=True)]),
        pl.Series("income", [None if m else f"{v:.3f}" for v, m in zip(
            income, missing[:, 1], strict=True)]),
        pl.Series("town", [None if m else "Atlantis" if n else w for w, m, n in zip(
            words, missing[:, 2], new, strict=True)]),
    ).drop("split_speaker", "speaker").write_csv(path)


def run(folder: Path, name: str, inputs: dict[str, object], epochs: int) -> dict[str, object]:
    """Train on some inputs; the figures on the test rows, per subset where there are several."""
    experiment = Experiment.from_dict({
        "data": {"table": "table.csv", "split": "split"}, "inputs": inputs,
        "targets": {"digit": {}}, "training": {"epochs": epochs}})
    place = folder / "runs" / name
    for _ in train(experiment, place, folder=folder):
        pass
    for step in evaluate(place, "test", inputs=len(inputs) > 1):
        if isinstance(step, Evaluation):
            found = step.to_json()
            return {k: found[k] for k in ("tasks", "subsets", "contributions") if k in found}
    raise RuntimeError("no evaluation")


def asked(predictor: Predictor) -> dict[str, object]:
    """What the model says of a usual row, a new town, a missing number and an empty row."""
    found: dict[str, object] = {}
    for what, record in {"usual": "pressure=75, income=9.5, town=Quito",
                         "new town": "pressure=75, income=9.5, town=Atlantis",
                         "missing": '{"town": "Quito", "pressure": null}',
                         "odd number": "pressure=high, income=9.5, town=Quito"}.items():
        answer = predictor.predict({"table": record}).tasks["digit"]
        found[what] = {"label": answer.label, "score": round(max(answer.scores.values()), 3)}
    found["empty"] = list(predictor.predict({"table": None}).present)
    return found


if __name__ == "__main__":
    main()
