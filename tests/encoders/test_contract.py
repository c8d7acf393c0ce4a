"""What every encoder promises; a new one is tested without another line."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional

from mmstudio.encoders import ENCODERS, Encoder
from mmstudio.modalities import MODALITIES
from tests.components import (
    calm,
    content_of,
    copied_through_file,
    extremes,
    needed,
    spec_for,
    stir,
    without_gradient,
)

NAMES = ENCODERS.names()
ROWS = 5
VARYING = [n for n in NAMES if content_of(ENCODERS.get(n).modality, 1)[1] is not None]
# of contents that can hold nan
FLOATS = [n for n in VARYING if content_of(ENCODERS.get(n).modality, 1)[0].is_floating_point()]


def make(name: str, **options: object) -> Encoder:
    torch.manual_seed(0)
    cls = ENCODERS.get(name)
    return cls(spec_for(cls), **(calm(cls) | needed(cls) | options))


@pytest.mark.parametrize("name", NAMES)
def test_says_what_it_is(name: str) -> None:
    cls = ENCODERS.get(name)
    assert cls.name == name
    assert cls.title and cls.source
    assert cls.summary.endswith(".")
    assert cls.modality in MODALITIES.names()


@pytest.mark.parametrize("modality", MODALITIES.names())
def test_every_modality_has_its_default_encoder(modality: str) -> None:
    default = MODALITIES.get(modality).default_encoder
    assert ENCODERS.get(default).modality == modality


@pytest.mark.parametrize("name", NAMES)
def test_gives_tokens_of_its_width_and_a_mask(name: str) -> None:
    encoder = make(name)
    features = encoder(*content_of(encoder.modality, ROWS))
    assert features.tokens.shape == (ROWS, features.mask.shape[1], encoder.width)
    assert features.tokens.dtype == torch.float32
    assert features.mask.dtype == torch.bool
    assert features.mask.any(dim=1).all()
    assert features.pooled().shape == (ROWS, encoder.width)
    assert features.pooled().isfinite().all()


@pytest.mark.parametrize("name", NAMES)
def test_a_gradient_reaches_every_parameter(name: str) -> None:
    encoder = make(name).train()
    stir(encoder)
    pooled = encoder(*content_of(encoder.modality, ROWS)).pooled()
    (pooled * torch.randn(pooled.shape)).sum().backward()
    assert without_gradient(encoder) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_row_does_not_depend_on_the_rows_beside_it(name: str) -> None:
    encoder = make(name).eval()
    values, mask = content_of(encoder.modality, ROWS)
    together = encoder(values, mask)
    for row in range(ROWS):
        alone = encoder(values[row : row + 1], None if mask is None else mask[row : row + 1])
        torch.testing.assert_close(alone.pooled()[0], together.pooled()[row])


@pytest.mark.parametrize("name", VARYING)
def test_padded_content_does_not_count(name: str) -> None:
    encoder = make(name).eval()
    values, mask = content_of(encoder.modality, ROWS, lengths=[3, 5, 8, 11, 12])
    other, _ = content_of(encoder.modality, ROWS, seed=1, lengths=[12] * ROWS)
    assert mask is not None
    plain, filled = encoder(values, mask), encoder(torch.where(mask, values, other), mask)
    assert torch.equal(plain.mask, filled.mask)
    assert torch.equal(plain.tokens[plain.mask], filled.tokens[filled.mask])
    assert torch.equal(plain.pooled(), filled.pooled())


@pytest.mark.parametrize("name", FLOATS)
def test_nan_in_the_padding_does_not_count(name: str) -> None:
    encoder = make(name).eval()
    values, mask = content_of(encoder.modality, ROWS, lengths=[3, 5, 8, 11, 12])
    assert mask is not None
    filled = values.masked_fill(~mask, float("nan"))
    assert torch.equal(encoder(values, mask).pooled(), encoder(filled, mask).pooled())


@pytest.mark.parametrize("longer", [1, 7, 24])
@pytest.mark.parametrize("name", VARYING)
def test_the_length_of_the_padding_does_not_count(name: str, longer: int) -> None:
    encoder = make(name).eval()
    values, mask = content_of(encoder.modality, ROWS, lengths=[3, 5, 8, 11, 12])
    more = values.shape[1] * longer // 12 + 1
    plain = encoder(values, mask)
    padded = encoder(functional.pad(values, (0, more)), functional.pad(mask, (0, more)))
    assert torch.equal(plain.mask.sum(dim=1), padded.mask.sum(dim=1))
    torch.testing.assert_close(plain.tokens[plain.mask], padded.tokens[padded.mask])
    torch.testing.assert_close(plain.pooled(), padded.pooled())


@pytest.mark.parametrize("name", VARYING)
def test_no_mask_means_that_all_is_real(name: str) -> None:
    encoder = make(name).eval()
    values, mask = content_of(encoder.modality, ROWS, lengths=[12] * ROWS)
    assert torch.equal(encoder(values, None).pooled(), encoder(values, mask).pooled())


@pytest.mark.parametrize("name", VARYING)
def test_one_step_of_content_is_enough(name: str) -> None:
    encoder = make(name)
    values, mask = content_of(encoder.modality, 2, lengths=[12, 12])
    assert mask is not None
    mask = torch.zeros_like(mask)
    mask[:, 0] = True
    for mode in (True, False):
        features = encoder.train(mode)(values, mask)
        assert features.mask.any(dim=1).all()
        assert features.pooled().isfinite().all()


@pytest.mark.parametrize("name", NAMES)
def test_weights_survive_a_file(name: str, tmp_path: Path) -> None:
    encoder = make(name).train()
    content = content_of(encoder.modality, ROWS)
    encoder(*content)  # moves running statistics
    stir(encoder)
    torch.manual_seed(1)
    cls = type(encoder)
    fresh = cls(spec_for(cls), **needed(cls))
    fresh = copied_through_file(encoder, fresh, tmp_path / "weights.safetensors")
    assert torch.equal(encoder.eval()(*content).tokens, fresh(*content).tokens)


@pytest.mark.parametrize(
    ("name", "options"),
    [(n, o) for n in NAMES for o in extremes(ENCODERS.get(n))], ids=str)
def test_options_work_to_the_ends_of_their_ranges(name: str, options: dict[str, object]) -> None:
    encoder = make(name, **options).train()
    features = encoder(*content_of(encoder.modality, 2))
    assert features.tokens.shape[2] == encoder.width
    assert features.pooled().isfinite().all()


@pytest.mark.parametrize("name", NAMES)
def test_one_batch_can_be_learnt_by_heart(name: str) -> None:
    encoder = make(name)
    head = nn.Linear(encoder.width, 4)
    values, mask = content_of(encoder.modality, 8, lengths=[12, 4, 6, 9, 12, 7, 5, 8])
    labels = torch.tensor([0, 1, 2, 3, 3, 2, 1, 0])
    learner = torch.optim.Adam([*encoder.parameters(), *head.parameters()], lr=3e-3)
    loss = torch.tensor(0.0)
    for _ in range(40):
        loss = functional.cross_entropy(head(encoder(values, mask).pooled()), labels)
        learner.zero_grad()
        loss.backward()
        learner.step()
    assert loss.detach().item() < 0.2
