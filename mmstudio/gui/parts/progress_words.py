"""How far a run is, as a plain sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication

from mmstudio.gui.parts.run_figures import answered_value
from mmstudio.gui.state.heavy_work import WorkState
from mmstudio.tasks.kinds import metric_named
from mmstudio.units import size_text, time_left_text

if TYPE_CHECKING:
    from mmstudio.training.events import RunFinished, Started
    from mmstudio.training.history import RunHistory


def tr(text: str) -> str:
    """The text in the user's language."""
    return QCoreApplication.translate("ProgressWords", text)


def progress_sentence(
    history: RunHistory | None, state: WorkState, device_name: str, failed: bool
) -> str:
    """How far it is: "Epoch 7 of 20 · about 25 s left · 812 samples/s · CPU · memory 310 MB".

    Args:
        history: The curves on show.
        state: Whether it is being trained, held or about to end.
        device_name: What the graphics card is called.
        failed: Whether the run ended with an error.
    """
    if history is None:
        return tr("Ready. Press “Start training” (F5).")
    started = history.started
    if started is None:
        return _before_start(history, state, failed)
    if history.finished is not None:
        return _afterwards(history, started, history.finished, device_name)
    epoch = history.last_step.epoch if history.last_step else started.first_epoch
    place = tr("Epoch {n} of {all}").format(n=epoch, all=started.epochs)
    if not state.running:
        return f"{place} · {tr('failed') if failed else tr('not finished')}"
    if history.stopped is not None:
        return f"{place} · " + tr("stopped; looking at the model once more …")
    if state.stopping:
        return f"{place} · " + tr("stopping; the best model is kept …")
    if state.ending:
        place = f"{place} · " + tr("stops after this epoch")
    if state.paused:
        return f"{place} · " + tr("paused")
    return " · ".join([place, *_speed(history, started, device_name)])


def figures_of(history: RunHistory) -> list[str]:
    """Each task's validation figure of what the run answers with: ["digit 97.3 %", …]."""
    if history.started is None:
        return []
    parts = []
    for task, metric in history.started.tasks.items():
        value = answered_value(history, task, metric)
        if value is not None:
            parts.append(f"{task} {metric_named(metric).text(value)}")
    return parts


def _before_start(history: RunHistory, state: WorkState, failed: bool) -> str:
    if not state.running:
        return tr("Failed before the first step.") if failed else tr("No step has been taken yet.")
    if state.stopping:
        return tr("Stopping …")
    preparing = history.preparing
    if preparing is None:
        return tr("Getting ready …")
    if state.paused:
        return preparing.message + " · " + tr("paused")
    if not preparing.total or preparing.total == 1:  # "0 of 1" says nothing
        return preparing.message
    return tr("{what} {done} of {all}").format(
        what=preparing.message, done=preparing.done, all=preparing.total
    )


def _afterwards(
    history: RunHistory, started: Started, finished: RunFinished, device_name: str
) -> str:
    done = history.epochs[-1] if history.epochs else 0
    sentence = tr("{done} of {all} epochs in {time}").format(
        done=done, all=started.epochs, time=time_left_text(finished.seconds)
    )
    return f"{sentence} · {_device(started.device, device_name)}"


def _speed(history: RunHistory, started: Started, device_name: str) -> list[str]:
    parts = []
    remaining_s = history.remaining_s()
    if remaining_s is not None:
        parts.append(tr("about {time} left").format(time=time_left_text(remaining_s)))
    if history.last_step is not None:
        speed = f"{history.last_step.samples_per_s:,.0f}".replace(",", " ")
        parts.append(tr("{speed} samples/s").format(speed=speed))
    device = _device(started.device, device_name)
    if history.tuned is not None:
        count = history.tuned.threads
        threads = tr("one thread") if count == 1 else tr("{n} threads").format(n=count)
        device = f"{device}, {threads}, {history.tuned.precision}"
        if history.tuned.layout == "contiguous":
            device = f"{device}, " + tr("contiguous")
    parts.append(device)
    if history.last_epoch is not None and history.last_epoch.memory_bytes:
        memory = size_text(history.last_epoch.memory_bytes)
        parts.append(tr("{memory} of memory in all").format(memory=memory))
    return parts


def _device(device: str, device_name: str) -> str:
    names = {"cpu": "CPU", "cuda": device_name or "GPU", "mps": "Apple GPU"}
    return names.get(device.split(":")[0], device)
