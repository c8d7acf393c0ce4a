"""The sentence that says how far a run is."""

from __future__ import annotations

from mmstudio.gui.parts.progress_words import progress_sentence
from mmstudio.gui.state.heavy_work import WorkState
from mmstudio.training.events import Started, StepDone, Stopped, Tuned
from mmstudio.training.history import RunHistory


def test_it_tells_what_was_measured_to_be_the_fastest() -> None:
    history = RunHistory()
    state = WorkState(running=True)
    history.apply(Started("runs/a", "CPU", "float32", 10, 20, 5, 1, {}, [], {}))
    history.apply(StepDone(1, 1, 0.5, 0.01, 400.0))
    assert progress_sentence(history, state, "", False) == "Epoch 1 of 20 · 400 samples/s · CPU"
    history.apply(Tuned(1, "float32"))
    assert progress_sentence(history, state, "", False).endswith("· CPU, one thread, float32")
    history.apply(Tuned(4, "bfloat16", reason="load"))
    assert progress_sentence(history, state, "", False).endswith("· CPU, 4 threads, bfloat16")


def test_it_tells_that_a_run_has_stopped_before_the_last_look_is_over() -> None:
    history = RunHistory()
    state = WorkState(running=True, stopping=True)
    history.apply(Started("runs/a", "CPU", "float32", 10, 20, 5, 1, {}, [], {}))
    assert "stopping; the best model is kept" in progress_sentence(history, state, "", False)
    history.apply(Stopped(1, 3))
    assert progress_sentence(history, state, "", False) == (
        "Epoch 1 of 20 · stopped; looking at the model once more …")
