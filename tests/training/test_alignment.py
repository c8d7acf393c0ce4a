"""The alignment's loss by hand, its gradients, and what must not change it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from mmstudio.encoders.base import Features
from mmstudio.training.alignment import LEAST_TEMPERATURE, Alignment, choice_loss


def features(*rows: list[float]) -> Features:
    tokens = torch.tensor(rows).unsqueeze(1)
    return Features(tokens, torch.ones(tokens.shape[:2], dtype=torch.bool))


def drawn(count: int, *widths: int, seed: int = 0) -> list[Features]:
    chance = torch.Generator().manual_seed(seed)
    return [Features(torch.randn(count, 3, w, generator=chance), torch.ones(count, 3).bool())
            for w in widths]


def different(count: int, inputs: int) -> torch.Tensor:
    return torch.arange(count).unsqueeze(1).expand(count, inputs)


def by_numpy(a: np.ndarray, b: np.ndarray, scale: float) -> float:
    """CLIP's pseudo-code: symmetric cross entropy to the diagonal."""
    a = a / np.linalg.norm(a, axis=1, keepdims=True)
    b = b / np.linalg.norm(b, axis=1, keepdims=True)
    logits = scale * a @ b.T

    def cross_entropy(rows: np.ndarray) -> float:
        shares = np.exp(rows) / np.exp(rows).sum(axis=1, keepdims=True)
        return float(-np.log(np.diagonal(shares)).mean())

    return (cross_entropy(logits) + cross_entropy(logits.T)) / 2


def test_two_rows_by_hand() -> None:
    alignment = Alignment([2, 2], width=2)
    with torch.no_grad():
        for projection in alignment.projections:
            projection.weight.copy_(torch.eye(2))
        alignment.log_scale.fill_(math.log(2.0))
    # lengths do not count; cosines: [[1, 0], [0.6, 0.8]], times 2
    loss = alignment([features([3, 0], [0.6, 0.8]), features([1, 0], [0, 5])],
                     torch.ones(2, 2).bool(), different(2, 2))
    across = (math.log(1 + math.exp(-2)) + math.log(1 + math.exp(-0.4))) / 2
    down = (math.log(1 + math.exp(-0.8)) + math.log(1 + math.exp(-1.6))) / 2
    assert loss.item() == pytest.approx((across + down) / 2, abs=1e-6)


def test_all_pairs_of_three_inputs_are_those_of_numpy() -> None:
    torch.manual_seed(0)
    alignment = Alignment([4, 5, 6], width=7)
    parts = drawn(6, 4, 5, 6)
    loss = alignment(parts, torch.ones(6, 3).bool(), different(6, 3)).item()
    each = [(p.weight @ f.pooled().T).T.detach().numpy()
            for p, f in zip(alignment.projections, parts, strict=True)]
    scale = 1 / 0.07
    expected = np.mean([by_numpy(each[i], each[j], scale) for i, j in ((0, 1), (0, 2), (1, 2))])
    assert loss == pytest.approx(expected, abs=1e-6)


def test_low_precision_of_the_layers_does_not_round_the_cosines() -> None:
    alignment = Alignment([8, 8])
    with torch.no_grad():
        alignment.log_scale.fill_(-math.log(LEAST_TEMPERATURE))
    given = drawn(40, 8, 8), torch.ones(40, 2).bool(), different(40, 2)
    expected = alignment(*given)
    with torch.autocast("cpu", torch.bfloat16):
        found = alignment(*given)

    assert torch.equal(found, expected)


def test_a_gradient_reaches_projections_temperature_and_features() -> None:
    alignment = Alignment([4, 5])
    parts = drawn(6, 4, 5)
    for part in parts:
        part.tokens.requires_grad_()
    alignment(parts, torch.ones(6, 2).bool(), different(6, 2)).backward()
    for tensor in (*alignment.parameters(), *(p.tokens for p in parts)):
        assert tensor.grad is not None and float(tensor.grad.abs().sum()) > 0


def test_absent_content_changes_nothing() -> None:
    torch.manual_seed(1)
    alignment = Alignment([4, 5])
    parts = drawn(6, 4, 5)
    present = torch.ones(6, 2).bool()
    present[1, 0] = present[4, 1] = False
    contents = different(6, 2).clone()
    loss = alignment(parts, present, contents)
    parts[0].tokens[1], parts[1].tokens[4] = float("nan"), 1e9
    contents[1, 0] = contents[4, 1] = 0  # not even where it looks like another row's
    assert torch.equal(alignment(parts, present, contents), loss)
    there = torch.tensor([0, 2, 3, 5])
    some = [Features(p.tokens[there], p.mask[there]) for p in parts]
    assert torch.allclose(alignment(some, torch.ones(4, 2).bool(), different(4, 2)), loss)


def test_no_pair_of_rows_is_a_loss_of_nothing() -> None:
    alignment = Alignment([4, 5])
    present = torch.tensor([[True, False], [False, True], [True, True]])
    loss = alignment(drawn(3, 4, 5), present, different(3, 2))
    loss.backward()
    assert loss.item() == 0


def test_equal_content_is_no_wrong_choice() -> None:
    # rows 0 and 1 hold the same text: whatever the second picture, both texts are right
    right = torch.tensor([[1, 1, 0], [1, 1, 0], [0, 0, 1]]).bool()
    perfect = torch.tensor([[50.0, 50, 0], [50, 50, 0], [0, 0, 50]])
    assert choice_loss(perfect, right).item() == pytest.approx(0, abs=1e-6)
    assert float(choice_loss(perfect, torch.eye(3).bool())) == pytest.approx(
        2 / 3 * math.log(2), abs=1e-6)
    uneven = torch.tensor([[1.0, 0.0], [0.0, 0.0]])
    shares = 1 / (1 + math.exp(-1.0))
    expected = (-0.5 * math.log(shares) - 0.5 * math.log(1 - shares) - math.log(2)) / 2
    assert float(choice_loss(uneven, torch.ones(2, 2).bool())) == pytest.approx(
        expected, abs=1e-6)


def test_a_text_twice_in_a_batch_pulls_on_both_pictures() -> None:
    torch.manual_seed(2)
    alignment = Alignment([4, 5])
    pictures, texts = drawn(4, 4, 5)
    texts.tokens[1] = texts.tokens[0]
    present, contents = torch.ones(4, 2).bool(), different(4, 2).clone()
    apart = alignment([pictures, texts], present, contents)
    contents[1, 1] = contents[0, 1]
    together = alignment([pictures, texts], present, contents)
    assert together.item() < apart.item()


def test_the_temperature_stays_above_its_least() -> None:
    alignment = Alignment([4, 5])
    with torch.no_grad():
        alignment.log_scale.fill_(20.0)
    alignment(drawn(3, 4, 5), torch.ones(3, 2).bool(), different(3, 2))
    assert alignment.log_scale.item() == pytest.approx(math.log(1 / LEAST_TEMPERATURE))
    assert alignment.temperature == pytest.approx(LEAST_TEMPERATURE)
