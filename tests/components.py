"""What the contract tests hand to components of every kind: specs, contents, option sets."""

from __future__ import annotations

import json
from typing import Any

import torch
from torch import nn

from mmstudio.registry import options_of

WORDS = ["a big red dot", "a small blue cross", "two long lines", "one more little word"]


def spec_of(modality: str) -> dict[str, Any]:
    """What the modality's ``fit`` would learn from small data."""
    if modality == "image":
        return {"size": [16, 16], "channels": 3}
    if modality == "text":
        from mmstudio.modalities.text import TextModality

        return TextModality(vocabulary=60).fit(WORDS * 3)
    if modality == "audio":
        return {"sample_rate_hz": 8000, "max_seconds": 0.3}
    if modality == "tabular":
        from mmstudio.modalities.tabular import TabularModality

        return TabularModality().fit([
            json.dumps({"age": str(i), "grade": str(i % 3), "city": None if i == 5 else c,
                        "height": None if i == 7 else f"{i * 0.7} m"})
            for i, c in enumerate("RRRSSSTTTT" * 3)])
    raise NotImplementedError(f"give the contract tests content of the modality {modality}")


def needed(encoder: type) -> dict[str, Any]:
    """The options that an encoder can't be made without: a tiny published model on this disk."""
    if "model" not in options_of(encoder):
        return {}
    from tests.tiny_models import tiny
    from tests.tiny_sounds import tiny_sound

    modality = encoder.modality  # type: ignore[attr-defined]
    folder = {"image": lambda: tiny("vit"), "text": lambda: tiny("bert"),
              "audio": lambda: tiny_sound("wav2vec2")}[modality]()
    return {"model": str(folder)}


def spec_for(encoder: type) -> dict[str, Any]:
    """What an input with this encoder would learn from small data."""
    from mmstudio.experiment import Component, InputSettings
    from mmstudio.pretrained.preprocessing import wanted

    name, modality = encoder.name, encoder.modality  # type: ignore[attr-defined]
    options = {"size": 16} if modality == "image" else {}
    settings = InputSettings("c", modality, Component(name, needed(encoder)), options=options)
    return spec_of(modality) | wanted(settings)


def content_of(
    modality: str, rows: int, seed: int = 0, lengths: list[int] | None = None
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Prepared values of ``rows`` samples, and their mask where length varies.

    Args:
        modality: Its name.
        rows: B.
        seed: Of the content.
        lengths: Real lengths in twelfths of the whole; random where not given.
    """
    chance = torch.Generator().manual_seed(seed)
    if modality == "image":
        return torch.randn(rows, 3, 16, 16, generator=chance), None
    if modality == "tabular":
        spec, known = spec_of("tabular")["columns"], torch.rand(rows, 4, generator=chance) > 0.2
        known[0], known[-1] = True, torch.tensor([False, True, False, False])
        size = torch.randn(rows, 4, generator=chance)
        most = torch.tensor([1 + len(c.get("words", c.get("levels", ()))) for c in spec])
        place = (torch.rand(rows, 4, generator=chance) * most).floor()
        number = torch.tensor([c["kind"] == "number" for c in spec]) & known
        return torch.stack([known.float(), size * number, size.clamp(-1.7, 1.7) * number,
                            place * known], dim=2), None
    if lengths is None:
        lengths = torch.randint(3, 13, (rows,), generator=chance).tolist()
    unit = {"text": 1, "audio": 200}[modality]
    real = torch.arange(12 * unit) < unit * torch.tensor(lengths).unsqueeze(1)
    if modality == "text":
        top = len(spec_of("text")["counts"])
        return torch.randint(2, top, real.shape, generator=chance) * real, real
    return 0.3 * torch.randn(real.shape, generator=chance) * real, real


def calm(cls: type) -> dict[str, float]:
    """Options that switch off what is random in training."""
    random = ("dropout", "word_dropout", "masking", "colouring", "label_smoothing")
    return {n: 0.0 for n in options_of(cls) if n in random}


def extremes(cls: type) -> list[dict[str, Any]]:
    """All options at their least, all at their greatest, and every choice."""
    options = options_of(cls)
    numbers = {n: o for n, o in options.items() if o.minimum is not None}
    sets: list[dict[str, Any]] = [
        {n: _number(o.kind, o.minimum) for n, o in numbers.items()},
        {n: _number(o.kind, o.maximum) for n, o in numbers.items()},
    ]
    for name, option in options.items():
        values = option.choices if option.kind == "choice" else (
            (False, True) if option.kind == "bool" else ())
        sets += [{name: value} for value in values]
    return sets


def _number(kind: str, value: Any) -> Any:
    return int(value) if kind == "int" else float(value)


def stir(module: nn.Module, seed: int = 0) -> None:
    """Move every parameter a little: some start at zero, which stops gradients behind them."""
    chance = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=chance))


def without_gradient(module: nn.Module) -> list[str]:
    """The names of trainable parameters that no gradient reached."""
    return [
        name for name, p in module.named_parameters()
        if p.requires_grad and (p.grad is None or not bool(p.grad.any()))
    ]


def copied_through_file(module: nn.Module, fresh: nn.Module, path: Any) -> nn.Module:
    """``fresh`` with the weights of ``module``, by way of a safetensors file."""
    from safetensors.torch import load_file, save_file

    save_file({n: t.contiguous() for n, t in module.state_dict().items()}, path)
    fresh.load_state_dict(load_file(path))
    return fresh.eval()
