"""What ``auto`` means on a CPU: which ways of making its steps a run tries."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch

from mmstudio.data.prepare import Dataset
from mmstudio.experiment import Experiment
from mmstudio.threads import best_threads, set_threads
from mmstudio.training.device import cpu_formats
from mmstudio.training.encode_once import Encoding, frozen_encoders
from mmstudio.training.events import Tuned
from mmstudio.training.memory_chunks import MemoryChunks
from mmstudio.training.memory_layout import LAYOUTS, USUAL_LAYOUT, convolves, lay_out
from mmstudio.training.model import MultimodalModel
from mmstudio.training.pace import Pace, Work
from mmstudio.training.pace_cache import cached_pace, pace_key, store_pace
from mmstudio.training.reused_features import of_family
from mmstudio.training.step import Run
from mmstudio.training.trial import ALIKE, Setting

MANY_STEPS = 150
"""With fewer steps left, to measure formats is not worth it: float32."""
SOME_STEPS = 20
"""With fewer steps left, to measure threads is not worth it: one."""
MANY_ENCODED = 200
"""With fewer rows for a frozen encoder, to measure formats is not worth it."""
TRIED_ROWS = 4
"""Rows that a frozen encoder encodes to find out which format is the faster."""


def with_format(
    experiment: Experiment, model: MultimodalModel, dataset: Dataset, device: torch.device,
    steps_left: int,
) -> Experiment:
    """The experiment with its number format and layout, as far as known before the first step.

    ``auto`` is left on a CPU whose steps are to be measured, and on every other device. What
    frozen encoders give is kept by its format, so with one of them its format is the run's.

    Args:
        experiment: A completed experiment.
        model: On the device.
        dataset: Its decoded rows.
        device: Where it trains.
        steps_left: Of the training.
    """
    if device.type != "cpu":
        return experiment
    # whoever fixes the threads wants the same numbers again, which timing can't promise
    measuring = steps_left > MANY_STEPS and not experiment.training.threads
    if experiment.training.precision == "auto":
        found = "float32"
        if len(cpu_formats()) > 1:
            encoding = encoding_format(model, dataset)
            if encoding is not None:
                found = encoding
            elif measuring:
                known = cached_pace(_key_of(model, experiment, dataset.schema.inputs))
                found = "auto" if known is None else known.precision
        experiment = experiment.replaced("training.precision", found)
    if experiment.training.memory_layout == "auto":
        layout = USUAL_LAYOUT
        if measuring and convolves(model):
            _, fastest = _known_pace(model, experiment, dataset.schema.inputs)
            layout = fastest.layout if fastest is not None and fastest.layout else "auto"
        experiment = experiment.replaced("training.memory_layout", layout)
    return experiment


def pace_for(run: Run, experiment: Experiment, dataset: Dataset, steps_left: int) -> Pace:
    """What chooses how the run's steps are made; it begins with what was the fastest before.

    Args:
        run: On its device.
        experiment: As ``with_format`` gave it.
        dataset: With its schema.
        steps_left: Of the training.
    """
    run.work = Work(experiment.training.batch_size)
    if run.device.type != "cpu":
        return run.pace
    key, known = _known_pace(run.model, experiment, dataset.schema.inputs)
    counts = _thread_counts(experiment.training.threads, steps_left, known)
    format_name = str(run.dtype).split(".")[1]
    auto = experiment.training.precision == "auto"
    formats = cpu_formats() if auto else [format_name]
    layout = experiment.training.memory_layout
    first, others = (USUAL_LAYOUT, [n for n in LAYOUTS if n != USUAL_LAYOUT]) if (
        layout == "auto") else (layout, [])
    return Pace([Setting(n, f, first) for n in counts for f in formats], partial(_apply, run),
                layouts=others, keep=partial(store_pace, key),
                hopeful=partial(_more_is_faster, max(counts)))


def format_on_resume(
    experiment: Experiment, before: Experiment, device: torch.device
) -> Experiment:
    """The experiment of a run that goes on, with what was measured when it began."""
    if device.type != "cpu":
        return experiment
    began = before.training
    if experiment.training.memory_layout == "auto":
        # a run with a format and no layout is one from before there were two, or was not measured
        layout = USUAL_LAYOUT if began.memory_layout == "auto" != began.precision else (
            began.memory_layout)
        experiment = experiment.replaced("training.memory_layout", layout)
    if experiment.training.precision == "auto" and began.precision in ("auto", *cpu_formats()):
        experiment = experiment.replaced("training.precision", began.precision)
    return experiment


def encoding_format(model: MultimodalModel, dataset: Dataset) -> str | None:
    """The format in which this CPU runs the model's frozen encoders; None where it has none.

    That is the format of features that are kept already; else the faster one, measured on a few
    rows and kept.
    """
    device = torch.device("cpu")
    for name, encoder in frozen_encoders(model).items():
        def job(precision: str, name: str = name, encoder: Any = encoder) -> Encoding:
            return Encoding(model, encoder, name, dataset, device, getattr(torch, precision),
                            MemoryChunks(device, f"encoding {name}"))

        for precision in cpu_formats():
            if of_family(job(precision).key):
                return precision
        key = pace_key(["encoding", [list(p.shape) for p in encoder.parameters()]])
        kept = cached_pace(key)
        if kept is not None:
            return kept.precision
        if len(job("float32").rows) < MANY_ENCODED:
            return "float32"
        seconds = _encoding_seconds(job)
        fast = min(seconds, key=lambda p: seconds[p])
        found = fast if seconds[fast] * ALIKE < seconds["float32"] else "float32"
        store_pace(key, Tuned(torch.get_num_threads(), found, seconds))
        return found
    return None


def _encoding_seconds(job: Callable[[str], Encoding]) -> dict[str, float]:
    """Per format the seconds for a few rows, the better of two; a first time does not count."""
    jobs = {precision: job(precision) for precision in cpu_formats()}
    seconds: dict[str, list[float]] = {precision: [] for precision in jobs}
    for _ in range(3):
        for precision, work in jobs.items():
            began = time.perf_counter()
            for _ in work.encoded([work.rows[:TRIED_ROWS]]):
                pass
            seconds[precision].append(time.perf_counter() - began)
    return {precision: min(times[1:]) for precision, times in seconds.items()}


def _apply(run: Run, setting: Setting) -> None:
    if setting.threads != torch.get_num_threads():
        set_threads(setting.threads)
    run.dtype = getattr(torch, setting.precision)
    apply_layout(run, setting.layout)


def apply_layout(run: Run, layout: str) -> None:
    """Have a run's model, its optimiser and its inputs lie in memory in a way."""
    if run.model.layout != layout:
        lay_out(run.model, run.optimiser, layout)
        run.model.layout = layout


def _more_is_faster(most: int) -> bool:
    """Whether more than one thread is, at this moment, in some 20 ms of other work."""
    before = torch.get_num_threads()
    set_threads(most)
    try:
        return best_threads() > 1
    finally:
        set_threads(before)


def _thread_counts(pinned: int, steps_left: int, kept: Tuned | None) -> list[int]:
    """The numbers of threads that are tried, the one to begin with first."""
    most = torch.get_num_threads()
    if pinned or most == 1:
        return [most]
    if steps_left < SOME_STEPS:
        return [1]
    counts = [1, most] if most < 4 else [1, most // 2, most]
    if kept is not None and kept.threads in counts:
        counts.remove(kept.threads)
        counts.insert(0, kept.threads)
    return counts


def _known_pace(
    model: MultimodalModel, experiment: Experiment, specs: Mapping[str, Mapping[str, Any]]
) -> tuple[str, Tuned | None]:
    """Where the fastest way for a model is kept, and what it is, if it was measured before.

    A format that was set, and not found, is a kind of its own: nobody measured the others.
    """
    key = _key_of(model, experiment, specs)
    fastest = cached_pace(key)
    wanted = experiment.training.precision
    if wanted in ("auto", "" if fastest is None else fastest.precision):
        return key, fastest
    key = _key_of(model, experiment, specs, wanted)
    return key, cached_pace(key)


def _key_of(
    model: MultimodalModel, experiment: Experiment, specs: Mapping[str, Mapping[str, Any]],
    *more: str,
) -> str:
    """The name of a model's shape: its layers, its batches, how large its inputs are."""
    sizes = {n: [spec.get("size"), spec.get("max_seconds")] for n, spec in specs.items()}
    # embeddings differ with every data set's words, and their rows cost nothing
    shapes = [[n, list(p.shape[1:] if "embed" in n else p.shape), p.requires_grad]
              for n, p in model.named_parameters()]
    return pace_key([shapes, experiment.training.batch_size, experiment.training.augment, sizes,
                     *more])
