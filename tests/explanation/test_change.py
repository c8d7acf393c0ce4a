"""Which whole inputs turn an answer, where there are too many for all subsets of them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from mmstudio.encoders import ENCODERS
from mmstudio.errors import UserError
from mmstudio.explanation import change
from mmstudio.explanation.asked import ROWS_AT_ONCE, Asked
from mmstudio.explanation.change import is_turned, turn_by_inputs
from mmstudio.fusion import FUSIONS
from mmstudio.inference.predictor import Predictor
from mmstudio.modalities import MODALITIES
from mmstudio.tasks import TASKS
from mmstudio.training.model import MultimodalModel
from tests.components import spec_of, stir
from tests.explanation.asking import CLASSES, content_of

COUNT = 8


def asked(seed: int, should_stop: Any = lambda: False) -> Asked:
    """A sample of eight tables, and an untrained model of them."""
    torch.manual_seed(seed)
    spec = spec_of("tabular")
    names = [f"table {i}" for i in range(COUNT)]
    encoders = {name: ENCODERS.get("mlp")(spec) for name in names}
    fused = FUSIONS.get("concat")([e.width for e in encoders.values()])
    target = {"classes": CLASSES, "counts": [3, 4, 5], "rows": 9}
    model = MultimodalModel({n: MODALITIES.get("tabular")() for n in names}, encoders, fused,
                            {"answer": TASKS.get("classification")(fused.width, target)})
    stir(model)
    model.eval()
    predictor: Any = SimpleNamespace(
        model=model, device=torch.device("cpu"), usual_errors={}, calibration=None,
        inputs=dict.fromkeys(names, "tabular"), tasks={"answer": "classification"},
        schema=SimpleNamespace(inputs=dict.fromkeys(names, spec)))
    predictor.decode = lambda *given: Predictor.decode(predictor, *given)
    return Asked(predictor, {n: content_of("tabular", i) for i, n in enumerate(names)},
                 should_stop=should_stop)


def test_of_many_inputs_single_ones_and_pairs_are_left_out(
    monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []
    for seed in range(12):
        sample = asked(seed)
        before = sample.answers("answer", sample.outputs["answer"])[0]
        rows: list[int] = []
        of_subsets = sample.of_subsets

        def counted(task: str, present: torch.Tensor, of: Any = of_subsets,
                    rows: list[int] = rows) -> torch.Tensor:
            rows.append(len(present))
            return of(task, present)

        sample.of_subsets = counted  # type: ignore[method-assign]
        turn = turn_by_inputs(sample, "answer")
        assert rows == [COUNT + COUNT * (COUNT - 1) // 2]
        if turn is not None:
            assert 1 <= len(turn.inputs) <= 2 and is_turned(before, turn.after)
            sizes.append(len(turn.inputs))
    assert sizes  # some of them turn
    monkeypatch.setattr(change, "MOST_PAIRED", COUNT - 1)
    assert change._left_out(COUNT) == [(i,) for i in range(COUNT)]
    assert len(change._left_out(6)) == 2**6 - 2


def test_it_can_be_left_off_in_between() -> None:
    looks: list[int] = []

    def stop() -> bool:
        looks.append(1)
        return len(looks) > 1

    sample = asked(0, stop)
    with pytest.raises(UserError, match="cancelled"):
        turn_by_inputs(sample, "answer")
    assert len(looks) == 2 and COUNT * (COUNT + 1) // 2 > ROWS_AT_ONCE
