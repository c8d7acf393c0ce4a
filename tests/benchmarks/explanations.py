"""Deletion curves of explanations against random deletion, and what an explanation takes.

    python tests/benchmarks/explanations.py RUN [--rows 200] [--method auto] [--input NAME …]
                                            [--minutes 10]

Per input of a run, on so many rows of its test split, from that input alone (fewer where the
minutes are over; each input has its share of them, and the rows come shuffled): its pieces are
hidden step by step, those that speak most for the answer first, and the probability of the class
that was answered is read off; the area under this curve is small where the explanation found what
the answer rests on (Petsiuk et al. 2018). Beside it the same in a random order; both with a 95 %
bootstrap interval over the rows, and the difference too. Then warm milliseconds in one thread, by
the clock and of the processor (the latter also tells something on a machine that is busy): of the
map of one input from its file on; and of all inputs together with what turns the answer.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

STEPS = 10
DRAWS = 2000


def rows_of(predictor: Any, count: int) -> list[dict[str, Any]]:
    """The contents of some test rows, evenly spread, by input."""
    from mmstudio.data.schema import values_of
    from mmstudio.data.split import split_of
    from mmstudio.data.table import read_table

    folder = predictor.run.path.parent.parent
    table = read_table(folder / predictor.experiment.data.table)
    rows = np.flatnonzero(split_of(predictor.experiment, table, folder) == "test")
    rows = rows[np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(int)]
    values = {n: values_of(table, i) for n, i in predictor.experiment.active_inputs.items()}
    return [{name: column[row] for name, column in values.items()} for row in rows]


def areas(
    asked: Any, name: str, task: str, at: int, orders: list[np.ndarray]
) -> list[float]:
    """The mean probability of one class while pieces are hidden, in each of some orders.

    All are asked about together; nothing hidden and all hidden are the same in every order.
    """
    shape = asked.pieces(name).shape
    size = len(orders[0])
    counts = np.linspace(0, size, STEPS + 1).round().astype(int)
    gone = np.zeros((2 + len(orders) * (STEPS - 1), size), dtype=bool)
    gone[1] = True
    for row, (order, count) in enumerate(
            ((order, count) for order in orders for count in counts[1:-1]), start=2):
        gone[row, order[:count]] = True
    outputs = asked.without(name, gone.reshape(len(gone), *shape))[task]
    found = outputs.float().softmax(dim=1)[:, at].numpy()
    ends, between = found[:2].sum(), found[2:].reshape(len(orders), -1).sum(axis=1)
    return ((ends + between) / (STEPS + 1)).tolist()


def interval(values: np.ndarray) -> tuple[float, float]:
    """The 95 % percentile bootstrap interval of a mean."""
    chance = np.random.default_rng(0)
    means = values[chance.integers(0, len(values), (DRAWS, len(values)))].mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


def measured(
    predictor: Any, name: str, contents: list[Any], task: str, method: str, seconds: float
) -> Iterator[tuple[float, float, float, float, str]]:
    """Per row: areas by the explanation and by chance, milliseconds twice, the method.

    No further row is begun when so many seconds are over.
    """
    from mmstudio.explanation.asked import Asked
    from mmstudio.explanation.explain import map_of
    from mmstudio.threads import one_thread

    head, chance = predictor.model.tasks[task], np.random.default_rng(0)
    end = time.perf_counter() + seconds
    with one_thread():
        for place in chance.permutation(len(contents)):
            if time.perf_counter() > end:
                return
            content = contents[place]
            began, worked = time.perf_counter(), time.thread_time()
            asked = Asked(predictor, {name: content})
            at = int(asked.outputs[task][0].argmax())
            found = map_of(asked, name, task, lambda o, at=at: head.spoken(o, at), "", method)
            took_ms = 1000 * (time.perf_counter() - began)
            worked_ms = 1000 * (time.thread_time() - worked)
            order = np.argsort(-found.weights.ravel(), kind="stable")
            by_map, by_chance = areas(
                asked, name, task, at, [order, chance.permutation(len(order))])
            yield by_map, by_chance, took_ms, worked_ms, found.method


def report(
    predictor: Any, rows: list[dict[str, Any]], method: str, inputs: list[str], minutes: float
) -> None:
    """A line per task and input."""
    tasks = [task for task, kind in predictor.tasks.items()
             if predictor.model.tasks[task].labels and kind != "multilabel"]
    seconds = 60 * minutes / max(1, len(tasks) * len(inputs))
    print(f"{'input':16}{'method':24}{'rows':>5}{'by the map':>24}{'by chance':>24}"
          f"{'difference':>25}{'ms':>8}{'95 %':>8}{'processor':>11}")
    for task in tasks:
        for name in inputs:
            contents = [row[name] for row in rows if row.get(name) is not None]
            found = list(measured(predictor, name, contents, task, method, seconds))
            pairs = np.array([f[:2] for f in found])
            times, work = np.array([f[2:4] for f in found[3:] or found]).T
            cells = []
            for values in (pairs[:, 0], pairs[:, 1], pairs[:, 0] - pairs[:, 1]):
                low, high = interval(values)
                cells.append(f"{values.mean():.3f} ({low:.3f} to {high:.3f})")
            print(f"{name:16}{found[-1][4]:24}{len(found):5}{cells[0]:>24}{cells[1]:>24}"
                  f"{cells[2]:>25}{np.median(times):8.1f}{np.quantile(times, 0.95):8.1f}"
                  f"{np.median(work):11.1f}",
                  flush=True)


def report_whole(predictor: Any, rows: list[dict[str, Any]]) -> None:
    """Milliseconds of a whole explanation of all inputs."""
    from mmstudio.explanation.explain import explain

    times, turned = [], 0
    for row in rows[:23]:
        began = time.perf_counter()
        found = explain(predictor, row)
        times.append(1000 * (time.perf_counter() - began))
        turned += bool(found.turns)
    print(f"all inputs, with what turns it: median {np.median(times[3:]):.0f} ms, 95 % "
          f"{np.quantile(times[3:], 0.95):.0f} ms; turned in {turned} of {len(times)} rows")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--method", choices=("auto", "gradients", "occlusion"), default="auto")
    parser.add_argument("--input", action="append", metavar="NAME", help="of these alone")
    parser.add_argument("--minutes", type=float, default=10.0, help="for all inputs together")
    options = parser.parse_args()
    from mmstudio.inference.predictor import Predictor

    predictor = Predictor(options.run, "cpu")
    rows = rows_of(predictor, options.rows)
    report(predictor, rows, options.method, options.input or list(predictor.inputs),
           options.minutes)
    if options.input is None:
        report_whole(predictor, rows)


if __name__ == "__main__":
    main()
