"""Seconds per epoch of every fusion relative to concat: same encoders, same batches, one table.

    python tests/benchmarks/fusion_cost.py [--rows 1000] [--rounds 5] [--images 1] [NAME …]

The data is that of ``make_data.py``: pictures, texts and sounds; ``--images 2`` reads the pictures
twice, as inputs of their own, and so on. The batches are decoded once; an epoch is every training
step that ``mmstudio train`` takes over them: varying, forward, backward, clipping, optimiser. The
fusions take turns, in another order each round, and each epoch is compared with that of concat in
its round: the table shows medians, of the clock and of the time that all cores spent, which other
programs disturb less. Close them first all the same.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

CEILING, CEILING_OF_TOKENS = 2.0, 4.0
"""What an epoch may cost in epochs of concat: any fusion, and those that work on tokens."""
WORKING_ON_TOKENS = ("attention", "bottleneck", "cross_attention", "tensor")
COLUMNS = {"image": "file_name", "text": "text", "audio": "audio"}


def experiment_of(images: int, fusion: str) -> dict[str, Any]:
    """The experiment as data: so many inputs of pictures, one of texts, one of sounds."""
    from mmstudio.modalities import MODALITIES

    modalities = {f"image {i + 1}": "image" for i in range(images)}
    modalities |= {"words": "text", "sound": "audio"}
    return {
        "data": {"table": "metadata.csv", "split": "split"},
        "inputs": {
            name: {"column": COLUMNS[modality], "modality": modality,
                   "encoder": {"name": MODALITIES.get(modality).default_encoder}}
            for name, modality in modalities.items()},
        "fusion": {"name": fusion},
        "targets": {"label": {"task": "classification"}},
        "training": {"device": "cpu"},
    }


class Seconds(NamedTuple):
    """What an epoch took: on the clock, and of all cores together."""

    clock: float
    cores: float


class Contestants:
    """One model per fusion, and the batches that all of them learn from."""

    def __init__(self, folder: Path, images: int) -> None:
        import numpy as np

        from mmstudio.data.batches import make_batch, row_batches
        from mmstudio.data.prepare import Dataset, prepare
        from mmstudio.data.schema import modality_of
        from mmstudio.experiment import Experiment
        from mmstudio.training.model import completed

        self.images = images
        experiment = completed(Experiment.from_dict(experiment_of(images, "concat")))
        self.dataset = next(d for d in prepare(experiment, folder) if isinstance(d, Dataset))
        modalities = {n: modality_of(i) for n, i in experiment.active_inputs.items()}
        rows = row_batches(self.dataset.rows("train"), experiment.training.batch_size,
                           np.random.default_rng(0))
        self.batches = [make_batch(self.dataset, modalities, r) for r in rows]

    def epoch_of(self, fusion: str) -> tuple[Callable[[], Seconds], int]:
        """What trains one epoch and tells its seconds; and the number of the fusion's weights."""
        import torch

        from mmstudio.experiment import Experiment
        from mmstudio.training.model import build_model, completed
        from mmstudio.training.optimise import make_optimiser

        experiment = completed(Experiment.from_dict(experiment_of(self.images, fusion)))
        torch.manual_seed(0)
        model = build_model(experiment, self.dataset.schema).train()
        model = model.to(memory_format=torch.channels_last)
        optimiser = make_optimiser(model, experiment.training, len(self.batches))
        vary = torch.Generator().manual_seed(0)

        def epoch() -> Seconds:
            began, began_cpu = time.perf_counter(), time.process_time()
            for batch in self.batches:
                outputs = model(model.prepared(batch, vary))
                loss = model.tasks["label"].loss(
                    outputs["label"].float(), batch.targets["label"], batch.known["label"])
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                torch.nn.utils.clip_grad_norm_(
                    model.parameters(), experiment.training.gradient_clip)
                optimiser.step()
                loss.item()
            return Seconds(time.perf_counter() - began, time.process_time() - began_cpu)

        return epoch, sum(p.numel() for p in model.fusion.parameters())


def measured(
    folder: Path, names: list[str], images: int, rounds: int
) -> list[dict[str, Any]]:
    """Per fusion its median seconds per epoch, and the median of its ratios to concat."""
    contestants = Contestants(folder, images)
    made = {name: contestants.epoch_of(name) for name in names}
    took: dict[str, list[Seconds]] = {name: [] for name in names}
    order = random.Random(0)
    for number in range(rounds + 1):
        for name in order.sample(names, len(names)):
            seconds = made[name][0]()
            if number > 0:  # the first round warms up
                took[name].append(seconds)
        print(f"round {number} of {rounds}", file=sys.stderr)

    def ratio(name: str, kind: int) -> float:
        return round(statistics.median(
            one[kind] / base[kind] for one, base in zip(took[name], took["concat"], strict=True)
        ), 2)

    return [{
        "fusion": name, "weights": made[name][1],
        "seconds_per_epoch": round(statistics.median(s.clock for s in took[name]), 3),
        "ratio": ratio(name, 0), "ratio_cores": ratio(name, 1),
        "allowed": CEILING_OF_TOKENS if name in WORKING_ON_TOKENS else CEILING,
    } for name in names]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=1, help="inputs that read the pictures")
    parser.add_argument("--threads", type=int, help="of torch; all cores by default")
    parser.add_argument("--json", action="store_true", help="one line of JSON per fusion")
    parser.add_argument("names", nargs="*", help="fusions; all by default")
    options = parser.parse_args()
    from make_data import make

    import mmstudio.training.device as device
    from mmstudio.fusion import FUSIONS

    device.prepare_process()
    if options.threads:
        import torch

        torch.set_num_threads(options.threads)
    names = [n for n in FUSIONS.names()
             if n == "concat" or not options.names or n in options.names]
    with tempfile.TemporaryDirectory() as place:
        os.environ["MMSTUDIO_CACHE"] = str(Path(place) / "cache")
        make(Path(place), options.rows)
        results = measured(Path(place), names, options.images, options.rounds)
    if options.json:
        for line in results:
            print(json.dumps(line))
        return
    print(f"{'':20}{'weights':>12}{'s / epoch':>12}{'/ concat':>10}{'of cores':>10}{'allowed':>9}")
    for line in sorted(results, key=lambda r: r["ratio"]):
        print(f"{line['fusion']:20}{line['weights']:12,}{line['seconds_per_epoch']:12.2f}"
              f"{line['ratio']:10.2f}{line['ratio_cores']:10.2f}{line['allowed']:9.0f}")


if __name__ == "__main__":
    main()
