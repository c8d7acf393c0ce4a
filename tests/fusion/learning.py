"""Small problems whose answer lies in one or in both of two inputs, and how they are learnt."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn
from torch.nn import functional

from mmstudio.encoders.base import Features
from mmstudio.fusion import FUSIONS, Fusion
from mmstudio.registry import options_of
from mmstudio.tasks import TASKS

WIDTH = 8
TOKENS = 3


def features_around(vectors: torch.Tensor, chance: torch.Generator) -> Features:
    """Tokens ``(N, 3, D)`` scattered around each vector ``(N, D)``."""
    scatter = torch.randn(len(vectors), TOKENS, vectors.shape[1], generator=chance)
    return Features(vectors.unsqueeze(1) + 0.5 * scatter,
                    torch.ones(len(vectors), TOKENS, dtype=torch.bool))


def noise(rows: int, chance: torch.Generator) -> Features:
    return features_around(torch.randn(rows, WIDTH, generator=chance), chance)


def exclusive_or(rows: int, seed: int) -> tuple[list[Features], torch.Tensor]:
    """Two inputs with one bit each; the label says whether the bits differ."""
    chance = torch.Generator().manual_seed(seed)
    bits = torch.randint(0, 2, (rows, 2), generator=chance)
    inputs = []
    for bit in bits.unbind(1):
        vectors = 0.5 * torch.randn(rows, WIDTH, generator=chance)
        vectors[:, 0] = 4.0 * bit - 2.0
        inputs.append(features_around(vectors, chance))
    return inputs, bits[:, 0] ^ bits[:, 1]


def two_clues(rows: int, seed: int) -> tuple[list[Features], torch.Tensor]:
    """Four classes, of which each of two inputs tells most, and both together nearly all."""
    chance = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 4, (rows,), generator=chance)
    centres = 1.6 * torch.eye(4, WIDTH)[labels]
    return [features_around(centres + torch.randn(rows, WIDTH, generator=chance), chance)
            for _ in range(2)], labels


def small_fusion(name: str, inputs: int, **options: object) -> Fusion:
    """The fusion with its own defaults, but narrow."""
    small = {"hidden": 32, "tokens": TOKENS}
    known = options_of(FUSIONS.get(name))
    return FUSIONS.get(name)(
        [WIDTH] * inputs, **({n: v for n, v in small.items() if n in known} | options))


def accuracy_after_training(
    make: Callable[[], nn.Module], classes: int, train: tuple[list[Features], torch.Tensor],
    test: tuple[list[Features], torch.Tensor], steps: int,
) -> float:
    """Train a fusion and a head on the one, and count right answers on the other."""
    torch.manual_seed(0)
    fusion = make()
    head = TASKS.get("classification")(
        fusion.width, {"classes": [str(c) for c in range(classes)]})
    learner = torch.optim.AdamW([*fusion.parameters(), *head.parameters()], lr=5e-3, fused=True)
    schedule = torch.optim.lr_scheduler.LinearLR(learner, 1.0, 0.05, steps)
    features, labels = train
    chance = torch.Generator().manual_seed(0)
    for _ in range(steps):
        rows = torch.randint(0, len(labels), (64,), generator=chance)
        answers = head(fusion(of_rows(features, rows), everywhere(features, 64)))
        learner.zero_grad()
        functional.cross_entropy(answers, labels[rows]).backward()
        learner.step()
        schedule.step()
    fusion.eval()
    with torch.no_grad():
        answers = head(fusion(test[0], everywhere(test[0], len(test[1]))))
    return float((answers.argmax(1) == test[1]).float().mean())


def of_rows(features: Sequence[Features], rows: torch.Tensor) -> list[Features]:
    return [Features(f.tokens[rows], f.mask[rows]) for f in features]


def everywhere(features: Sequence[Features], rows: int) -> torch.Tensor:
    return torch.ones(rows, len(features), dtype=torch.bool)
