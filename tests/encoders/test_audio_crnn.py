"""The CRNN for sounds: its features against plain convolutions over time and frequency."""

from __future__ import annotations

import pytest
import torch

from mmstudio.encoders.audio_crnn import AudioCRNN, _turned


def sounds() -> tuple[torch.Tensor, torch.Tensor]:
    """Three sounds at 8 kHz, of 0.4 s, 0.25 s and 0.05 s, with noise behind the shorter ones."""
    torch.manual_seed(0)
    values = torch.randn(3, 3200) * 0.2
    return values, torch.arange(3200) < torch.tensor([[3200], [2000], [400]])


@pytest.mark.parametrize("bands", [16, 21])
def test_its_features_are_those_of_plain_layers(bands: int) -> None:
    torch.manual_seed(1)
    encoder = AudioCRNN({"sample_rate_hz": 8000}, width=16, mel_bands=bands)
    for norm in encoder.norms:  # statistics that change something
        norm.running_mean.uniform_(-0.5, 0.5)  # type: ignore[union-attr, operator]
        norm.running_var.uniform_(0.5, 2.0)  # type: ignore[union-attr, operator]
    encoder.eval()
    values, mask = sounds()
    features = encoder(values, mask)
    for row in range(3):
        length = int(mask[row].sum())
        frames, real = encoder.log_mel(
            values[row : row + 1, :length], torch.ones(1, length, dtype=torch.bool))
        cells = frames[:, : int(real.sum())].unsqueeze(1)  # (1, 1, T, F), and nothing behind
        for convolution, norm in zip(encoder.convolutions, encoder.norms, strict=True):
            cells = torch.relu(norm(convolution(cells)))
        flat = cells.permute(0, 2, 3, 1).flatten(2)
        tokens = torch.nn.functional.gelu(encoder.squeeze(flat))
        expected = encoder.rnn(tokens, torch.ones(tokens.shape[:2], dtype=torch.bool)) + tokens
        count = int(features.mask[row].sum())
        assert count == expected.shape[1]
        torch.testing.assert_close(features.tokens[row, :count], expected[0])
        assert not features.tokens[row, count:].any()


def test_what_stands_in_the_padding_reaches_no_gradient() -> None:
    encoder = AudioCRNN({"sample_rate_hz": 8000}, width=16, masking=0.0, colouring=0.0,
                        dropout=0.0).train()
    found = []
    for noise in (0.0, 5.0):
        values, mask = sounds()
        values = values.masked_fill(~mask, noise)
        encoder.zero_grad()
        encoder(values, mask).tokens.square().sum().backward()
        found.append([p.grad.clone() for p in encoder.parameters() if p.grad is not None])
    assert len(found[0]) == len(list(encoder.parameters()))
    for one, other in zip(*found, strict=True):
        assert torch.equal(one, other)


LONG = {"sample_rate_hz": 8000, "max_seconds": 3.0}


def test_long_sounds_are_looked_at_more_coarsely() -> None:
    values = torch.randn(2, 24_000)
    mask = torch.arange(24_000) < torch.tensor([[24_000], [12_000]])
    short = AudioCRNN({**LONG, "max_seconds": 2.0}, width=16).eval()(values, mask)
    long = AudioCRNN(LONG, width=16).eval()(values, mask)
    assert short.mask.sum(dim=1).tolist() == [75, 38]  # one per 40 ms
    assert long.mask.sum(dim=1).tolist() == [30, 15]  # one per 100 ms


def test_padding_changes_nothing_in_long_sounds() -> None:
    torch.manual_seed(2)
    encoder = AudioCRNN(LONG, width=16).eval()
    values = torch.randn(1, 20_000)
    alone = encoder(values, torch.ones(1, 20_000, dtype=torch.bool))
    mask = torch.arange(24_000).unsqueeze(0) < 20_000
    padded = encoder(torch.cat([values, torch.randn(1, 4000)], dim=1), mask)
    count = int(alone.mask.sum())
    assert int(padded.mask.sum()) == count
    torch.testing.assert_close(padded.tokens[:, :count], alone.tokens[:, :count])


def test_every_frame_reaches_a_token_of_a_long_sound() -> None:
    torch.manual_seed(3)
    encoder = AudioCRNN(LONG, width=16).eval()
    frames = torch.zeros(1, 1, 40, 200, requires_grad=True)  # (B, 1, F, T)
    _turned(encoder.convolutions[0], frames + 1).sum().backward()
    assert frames.grad is not None
    assert (frames.grad.abs().sum(dim=(0, 1, 2))[:-1] > 0).all()  # but for the very last


@pytest.mark.parametrize("assign", [False, True])
def test_a_run_of_before_keeps_its_fine_look_at_long_sounds(assign: bool) -> None:
    torch.manual_seed(4)
    before = AudioCRNN({**LONG, "max_seconds": 0.0}, width=16).eval()
    now = AudioCRNN(LONG, width=16).eval()
    parameter = now.convolutions[0].weight
    now.load_state_dict(before.state_dict(), assign=assign)
    values, mask = torch.randn(2, 24_000), torch.ones(2, 24_000, dtype=torch.bool)
    torch.testing.assert_close(now(values, mask).tokens, before(values, mask).tokens)
    assert assign or now.convolutions[0].weight is parameter  # an optimiser may have it
    again = AudioCRNN(LONG, width=16)
    again.load_state_dict(AudioCRNN(LONG, width=16).state_dict(), assign=assign)
    assert again.convolutions[0].weight.shape == (16, 1, 5, 3)
