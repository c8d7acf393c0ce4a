"""Which epoch is the best: the figure as far as it tells, then the loss."""

from __future__ import annotations

import math

import pytest

from mmstudio.training.best import Best, Score, score_of


class Share:
    """A task whose main figure is a share."""

    main_metric = "accuracy"

    def chance(self, figure: float, rows: int) -> float:
        return math.sqrt(figure * (1 - figure) / rows)


class Fit:
    """A task whose main figure is R²."""

    main_metric = "r2"

    def chance(self, figure: float, rows: int) -> float:
        return 0.0


def taken(*scores: tuple[float, float, float]) -> tuple[list[int], Best]:
    """The epochs that were the best when they came, and what is left."""
    best = Best()
    return [n for n, score in enumerate(scores, 1) if best.take(n, Score(*score))], best


def test_without_chance_the_figure_decides_and_among_equals_the_loss() -> None:
    epochs, best = taken((0.5, 1.0, 0), (0.4, 0.1, 0), (0.5, 0.9, 0), (0.5, 0.95, 0), (0.6, 2.0, 0))
    assert epochs == [1, 3, 5]
    assert (best.epoch, best.figure, best.loss, best.gained) == (5, 0.6, 2.0, 5)


def test_a_lucky_figure_gives_way_to_a_lower_loss() -> None:
    epochs, best = taken((0.80, 0.6, 0.03), (0.79, 0.5, 0.03), (0.78, 0.4, 0.03),
                         (0.76, 0.3, 0.03))
    assert epochs == [1, 2, 3]  # 0.76 is more than 0.03 below the highest
    assert (best.epoch, best.highest, best.gained) == (3, 0.80, 3)


def test_a_figure_that_chance_does_not_explain_outweighs_the_loss() -> None:
    epochs, best = taken((0.70, 0.5, 0.03), (0.72, 0.6, 0.03), (0.74, 0.7, 0.03))
    assert epochs == [1, 3]
    assert best.epoch == 3


def test_a_loss_that_is_no_number_is_not_lower() -> None:
    epochs, best = taken((0.5, 1.0, 0), (0.5, float("nan"), 0), (0.5, float("nan"), 0))
    assert epochs == [1] and best.gained == 1


def test_the_standard_error_is_that_of_the_highest_figure() -> None:
    assert taken((1.0, 0.5, 0.0), (0.98, 0.1, 0.03))[0] == [1]


def test_a_higher_figure_is_a_gain_even_where_the_model_is_not_taken() -> None:
    epochs, best = taken((0.70, 0.5, 0.03), (0.72, 0.6, 0.03), (0.71, 0.6, 0.03))
    assert epochs == [1]
    assert (best.epoch, best.gained) == (1, 2)


def test_the_score_is_the_mean_over_the_tasks_that_tell() -> None:
    tasks = {"a": Share(), "b": Share(), "r": Fit(), "none": Share()}
    figures = {"loss": 1.5, "a": {"accuracy": 0.9}, "b": {"accuracy": 0.5}, "r": {"r2": -7.0},
               "none": {"accuracy": float("nan")}}
    got = score_of(tasks, figures, {"a": 100, "b": 25, "r": 10, "none": 0})  # type: ignore[arg-type]
    assert got.figure == pytest.approx((0.9 + 0.5 - 1) / 3)
    assert got.chance == pytest.approx((0.03 + 0.1 + 0) / 3)
    assert got.loss == 1.5


def test_no_label_in_the_validation_leaves_the_loss_to_decide() -> None:
    got = score_of({"a": Share()}, {"loss": 2.0, "a": {"accuracy": float("nan")}}, {"a": 0})  # type: ignore[dict-item]
    assert got == Score(0.0, 2.0)


def test_losses_count_as_shares_of_knowing_nothing() -> None:
    tasks = {"a": Share(), "b": Share()}
    usual = {"a": 2.0, "b": 0.25}
    figures = {"loss": 1.2, "a": {"accuracy": 0.5, "loss": 1.0},
               "b": {"accuracy": 0.5, "loss": 0.2}}
    assert score_of(tasks, figures, {"a": 9, "b": 9}, usual).loss == pytest.approx(0.65)  # type: ignore[arg-type]
    figures["b"] = {"accuracy": 0.5, "loss": 0.9}  # nothing is learnt of it
    assert score_of(tasks, figures, {"a": 9, "b": 9}, usual).loss == pytest.approx(0.75)  # type: ignore[arg-type]
