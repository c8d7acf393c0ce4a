"""What every fusion promises; a new one is tested without another line."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional

from mmstudio.encoders.base import Features, Fused
from mmstudio.fusion import FUSIONS, Fusion
from mmstudio.registry import options_of
from tests.components import calm, copied_through_file, extremes, stir, without_gradient

NAMES = FUSIONS.names()
WIDTHS = [6, 10, 4, 6, 6, 8]
COUNTS = range(1, 7)
ROWS = 7
# the content behind an absent input can't count here either: it never reaches a fusion
READ_ABSENT_TOKENS = ("concat", "gated")


def make(name: str, inputs: int, **options: object) -> Fusion:
    torch.manual_seed(0)
    cls = FUSIONS.get(name)
    small = {"hidden": 8} | ({"input_width": 4} if "input_width" in options_of(cls) else {})
    return cls(WIDTHS[:inputs], **(small | calm(cls) | options))


def features_of(inputs: int, seed: int = 0, rows: int = ROWS) -> list[Features]:
    chance = torch.Generator().manual_seed(seed)
    made = []
    for i, width in enumerate(WIDTHS[:inputs]):
        mask = torch.arange(3 + i) < torch.randint(1, 4 + i, (rows, 1), generator=chance)
        made.append(Features(torch.randn(rows, 3 + i, width, generator=chance), mask))
    return made


def all_there(inputs: int) -> torch.Tensor:
    return torch.ones(ROWS, inputs, dtype=torch.bool)


def patterns_of(inputs: int) -> torch.Tensor:
    """Each combination of present and absent, none and all too."""
    return torch.cartesian_prod(*[torch.tensor([False, True])] * inputs).view(-1, inputs)


def answer(fused: Fused) -> torch.Tensor:
    return (fused.views * fused.weights.unsqueeze(-1)).sum(dim=1)


@pytest.mark.parametrize("name", NAMES)
def test_says_what_it_is(name: str) -> None:
    cls = FUSIONS.get(name)
    assert cls.name == name
    assert cls.title and cls.source
    assert cls.summary.endswith(".")
    assert cls.__doc__ and "``" in cls.__doc__, "its equation belongs in its docstring"


@pytest.mark.parametrize("inputs", COUNTS)
@pytest.mark.parametrize("name", NAMES)
def test_gives_views_and_weights_that_add_up_to_one(name: str, inputs: int) -> None:
    fusion = make(name, inputs).eval()
    patterns = patterns_of(inputs)
    fused = fusion(features_of(inputs, rows=len(patterns)), patterns)
    count = fused.views.shape[1]
    assert count in (1, inputs)
    assert fused.views.shape == (len(patterns), count, fusion.width)
    assert fused.weights.shape == (len(patterns), count)
    assert fused.views.dtype == fused.weights.dtype == torch.float32
    torch.testing.assert_close(fused.weights.sum(dim=1), torch.ones(len(patterns)))
    assert (fused.weights >= 0).all()
    assert fused.views.isfinite().all()
    if count == inputs > 1:
        some = patterns.any(dim=1)
        assert (fused.weights[some] * ~patterns[some] == 0).all()


@pytest.mark.parametrize("inputs", COUNTS)
@pytest.mark.parametrize("name", NAMES)
def test_a_gradient_reaches_every_parameter(name: str, inputs: int) -> None:
    fusion = make(name, inputs).train()
    stir(fusion)
    mixed = answer(fusion(features_of(inputs), all_there(inputs)))
    (mixed * torch.randn(mixed.shape)).sum().backward()
    assert without_gradient(fusion) == []


@pytest.mark.parametrize("inputs", COUNTS)
@pytest.mark.parametrize("name", NAMES)
def test_every_present_input_counts(name: str, inputs: int) -> None:
    fusion = make(name, inputs).eval()
    stir(fusion)
    before = features_of(inputs)
    plain = answer(fusion(before, all_there(inputs)))
    for i in range(inputs):
        after = list(before)
        after[i] = features_of(inputs, seed=1)[i]
        changed = (answer(fusion(after, all_there(inputs))) - plain).abs().amax(dim=1)
        assert (changed > 1e-6).all()


@pytest.mark.parametrize("name", NAMES)
def test_padded_tokens_do_not_count(name: str) -> None:
    fusion = make(name, 3).eval()
    plain = features_of(3)
    filled = [Features(f.tokens.masked_fill(~f.mask.unsqueeze(-1), float("nan")), f.mask)
              for f in plain]
    assert torch.equal(answer(fusion(plain, all_there(3))), answer(fusion(filled, all_there(3))))


@pytest.mark.parametrize("inputs", COUNTS)
@pytest.mark.parametrize("name", [n for n in NAMES if n not in READ_ABSENT_TOKENS])
def test_whatever_stands_where_an_input_is_absent_changes_nothing(name: str, inputs: int) -> None:
    fusion = make(name, inputs).eval()
    stir(fusion)
    present = patterns_of(inputs)
    plain = features_of(inputs, rows=len(present))
    answers = []
    for value in (0.0, 1e6, float("nan")):
        other = [Features(f.tokens.masked_fill(~there.view(-1, 1, 1), value), f.mask)
                 for f, there in zip(plain, present.unbind(1), strict=True)]
        answers.append(answer(fusion(other, present)))
    assert torch.equal(answers[0], answer(fusion(plain, present)))
    assert torch.equal(answers[0], answers[1])
    assert torch.equal(answers[0], answers[2])
    assert answers[0].isfinite().all()


@pytest.mark.parametrize("name", NAMES)
def test_how_long_the_padding_is_changes_nothing(name: str) -> None:
    """An absent token stands alone or at the head of a long sequence: the answer is one."""
    fusion = make(name, 3).eval()
    short = features_of(3)
    alone = Features(short[1].tokens[:, :1], torch.ones(ROWS, 1, dtype=torch.bool))
    long = Features(nn.functional.pad(alone.tokens, (0, 0, 0, 90), value=float("nan")),
                    nn.functional.pad(alone.mask, (0, 90)))
    one, other = (answer(fusion([short[0], f, short[2]], all_there(3))) for f in (alone, long))
    assert torch.equal(one, other)


@pytest.mark.parametrize("name", NAMES)
def test_weights_survive_a_file(name: str, tmp_path: Path) -> None:
    fusion = make(name, 3)
    stir(fusion)
    torch.manual_seed(1)
    fresh = copied_through_file(fusion, make(name, 3), tmp_path / "weights.safetensors")
    features, there = features_of(3), all_there(3)
    assert torch.equal(answer(fusion.eval()(features, there)), answer(fresh(features, there)))


@pytest.mark.parametrize(
    ("name", "options"), [(n, o) for n in NAMES for o in extremes(FUSIONS.get(n))], ids=str)
def test_options_work_to_the_ends_of_their_ranges(name: str, options: dict[str, object]) -> None:
    fusion = make(name, 3, **options).train()
    fused = fusion(features_of(3), all_there(3))
    assert fused.views.shape[2] == fusion.width
    assert fused.views.isfinite().all()


@pytest.mark.parametrize("name", NAMES)
def test_one_batch_can_be_learnt_by_heart(name: str) -> None:
    fusion = make(name, 3, hidden=32)
    head = nn.Linear(fusion.width, 3)
    features = features_of(3)
    there = torch.rand(ROWS, 3, generator=torch.Generator().manual_seed(3)) < 0.8
    there[:, 1] = True
    labels = torch.arange(ROWS) % 3
    learner = torch.optim.Adam([*fusion.parameters(), *head.parameters()], lr=0.01)
    loss = torch.tensor(0.0)
    for _ in range(100):
        loss = functional.cross_entropy(head(answer(fusion(features, there))), labels)
        learner.zero_grad()
        loss.backward()
        learner.step()
        if loss.item() < 0.1:
            break
    assert loss.detach().item() < 0.1
