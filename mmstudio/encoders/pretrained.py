"""What encoders that stand on a published model share."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from mmstudio.drawing import DrawnAside
from mmstudio.encoders.base import Encoder, Features, grouped, is_looked_into
from mmstudio.encoders.tuning import Tuned, set_mode, trained_names, tune
from mmstudio.errors import UserError
from mmstudio.pretrained.loading import load, reason_of
from mmstudio.pretrained.source import Source, find

FORMAT = 1
"""Of the features that ``encode`` gives; another one is computed again."""
PUBLISHED = "published"
"""The published part's name in the encoder."""


def library_versions() -> dict[str, str]:
    """The versions of the libraries that run published models; "" of one that is missing."""
    found = {}
    for name in ("torch", "transformers"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = ""
    return found


@dataclass(frozen=True)
class Read:
    """What a published model gives.

    Attributes:
        tokens: ``(B, T, D)``.
        mask: ``(B, T)`` bool, True = real.
        summary: ``(B, D)``: what it was trained to say of the whole sample, where there is that.
        grid: ``(H', W')`` of a picture's cells, which the tokens hold row by row.
    """

    tokens: torch.Tensor
    mask: torch.Tensor
    summary: torch.Tensor | None = None
    grid: tuple[int, int] | None = None


class PretrainedEncoder(Encoder):
    """A published model, and a layer from its features to the fusion.

    ``encode`` is the published part: at most ``tokens`` features per sample, and before them the
    summary s, where the model has one. ``project`` is ``f(W norm(x) + U norm(s) + b)`` with f =
    GELU for each x of them: so the summary counts in the mean of many.

    A subclass says how values become features: ``read``, and where it needs to ``load_model``,
    ``fewer`` and ``facts``.
    """

    varies = False
    summarised: bool

    def __init__(
        self, spec: dict[str, Any], model: str, tuned: Tuned, tokens: int, width: int,
        dropout: float,
    ) -> None:
        super().__init__(spec)
        self.spec = spec
        self.tuned = tuned
        self.most_tokens = tokens
        self.width = width
        self.found = find(model, self.modality)
        # The published weights are needed for what they are, also where a model is built only to
        # get its weights from a run; and drawing what LoRA begins with leaves no trace in the run.
        with DrawnAside(), torch.device("cpu"):
            self.published = self.load_model(self.found)
            self.begin(spec)
            read = self._tried()
            self.active, self._factors = tune(self.published, tuned, model)
            self._leave_unread()
        published_width = read.tokens.shape[-1]
        self.summarised = read.summary is not None
        # without factors of its own, which the linear layer has: where features are kept, the
        # backward pass ends at its weights
        self.norm = nn.LayerNorm(published_width, elementwise_affine=False)
        self.linear = nn.Linear(published_width, width)
        self.whole = nn.Linear(published_width, width, bias=False) if self.summarised else None
        self.dropout = nn.Dropout(dropout)
        self.train(self.training)

    def load_model(self, source: Source) -> nn.Module:
        """The published model, on the CPU."""
        return load(source, self.modality)

    def begin(self, spec: dict[str, Any]) -> None:
        """Read what the encoder needs from the spec and from the model, once it is there."""

    def trial(self) -> tuple[torch.Tensor, torch.Tensor | None]:
        """The least values and mask that the model takes."""
        raise NotImplementedError

    def read(self, values: torch.Tensor, mask: torch.Tensor | None) -> Read:
        """All that the published model gives for prepared values."""
        raise NotImplementedError

    def fewer(self, read: Read) -> Features:
        """At most ``most_tokens`` of the tokens, without the summary."""
        if read.tokens.shape[1] <= self.most_tokens:
            return Features(read.tokens, read.mask)
        return grouped(Features(read.tokens, read.mask), self.most_tokens)

    def facts(self) -> dict[str, Any]:
        """What, besides the weights, ``read`` depends on; plain data."""
        return {}

    def _tried(self) -> Read:
        """What the model gives for the least that it takes: one that can't be used shows here."""
        try:
            with torch.no_grad():
                return self.read(*self.trial())
        except (RuntimeError, ValueError, TypeError, IndexError, AttributeError, KeyError) as error:
            raise UserError(f"{self.found.model} does not take what it should: {reason_of(error)}",
                            "Choose another model.") from None

    def _leave_unread(self) -> None:
        """Take out of training what no feature depends on, such as a token that stands for gaps."""
        trained = {n: p for n, p in self.published.named_parameters() if p.requires_grad}
        if not trained:
            return
        with torch.enable_grad():
            read = self.read(*self.trial())
            given = read.tokens.sum() + (0 if read.summary is None else read.summary.sum())
            reached: Sequence[torch.Tensor | None] = torch.autograd.grad(
                given, list(trained.values()), allow_unused=True)
        for (name, parameter), gradient in zip(trained.items(), reached, strict=True):
            if gradient is None:
                parameter.requires_grad_(False)
                self._factors.pop(name, None)

    @property
    def frozen(self) -> bool:
        """Whether training leaves the published model as it is."""
        return self.tuned.tuning == "frozen"

    @property
    def fixed(self) -> frozenset[str]:
        """The published weights and buffers that training does not change."""
        trained = trained_names(self.published)
        return frozenset(f"{PUBLISHED}.{n}" for n in self.published.state_dict()
                         if n not in trained)

    @property
    def stored_key(self) -> str | None:
        """Of all that features depend on; None where it is tuned.

        These are the weights, the preprocessing, the number of tokens, and the libraries: another
        version of one may compute in another way.
        """
        if not self.frozen:
            return None
        depends = [type(self).__name__, FORMAT, self.found.digest, self.most_tokens, self.facts(),
                   library_versions()]
        return hashlib.blake2b(json.dumps(depends, sort_keys=True).encode(),
                               digest_size=16).hexdigest()

    def rates(self) -> dict[str, float]:
        """Per trained published parameter its share of the learning rate."""
        return {f"{PUBLISHED}.{n}": factor for n, factor in self._factors.items()}

    def train(self, mode: bool = True) -> PretrainedEncoder:
        """As always, but what is not trained stays in ``eval``: no dropout, no moving norms."""
        super().train(mode)
        set_mode(self.published, self.active, mode)
        return self

    def forward(self, values: torch.Tensor, mask: torch.Tensor | None) -> Features:
        """Prepared values to tokens ``(B, T, width)``."""
        return self.project(self.encode(values, mask))

    def encode(self, values: torch.Tensor, mask: torch.Tensor | None) -> Features:
        """Prepared values to published features ``(B, T, D)``, the summary first."""
        learns = not self.frozen or is_looked_into()
        with torch.set_grad_enabled(torch.is_grad_enabled() and learns):
            read = self.read(values, mask)
            few = self.fewer(read)
            if read.summary is None:
                return few
            first = few.mask.new_ones(len(few.mask), 1)
            return Features(torch.cat([read.summary.unsqueeze(1), few.tokens], dim=1),
                            torch.cat([first, few.mask], dim=1))

    def project(self, features: Features) -> Features:
        """Published features ``(B, T, D)`` to tokens ``(B, T, width)``."""
        normed = self.norm(features.tokens)
        if self.training:
            # the same features hidden in all tokens of a sample (Gal and Ghahramani 2016): it
            # does as well as drawing for each, and an epoch on kept features takes a third less
            normed = normed * self.dropout(normed.new_ones(len(normed), 1, normed.shape[-1]))
        tokens = self.linear(normed)
        if self.whole is not None:
            tokens = tokens + self.whole(normed[:, :1])
        tokens = functional.gelu(tokens)
        return Features(tokens.masked_fill(~features.mask.unsqueeze(-1), 0), features.mask,
                        source=self.gist(features))

    def gist(self, features: Features) -> torch.Tensor:
        """``(B, D)`` what ``encode`` gave of the whole sample: the summary, else the mean."""
        return features.tokens[:, 0] if self.summarised else features.pooled()
