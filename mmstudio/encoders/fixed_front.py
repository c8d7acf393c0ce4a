"""Encoders whose first part is a fixed rule, such as a spectrogram: it may be worked out once."""

from __future__ import annotations

import torch

from mmstudio.encoders.base import Encoder, Features


class FixedFront(Encoder):
    """An encoder that reads its input by a rule, its front, and learns from what that gives.

    ``forward`` is the one after the other. Of contents that nobody varies the front is the same in
    every epoch, so a training keeps it.
    """

    @property
    def is_in_two_parts(self) -> bool:
        """Whether ``forward`` still is the one after the other: a class of one's own may differ."""
        owners = {next(c for c in type(self).__mro__ if name in vars(c))
                  for name in ("forward", "front", "behind_front")}
        return len(owners) == 1

    @property
    def front_key(self) -> str:
        """Names all that the front depends on, besides the contents."""
        raise NotImplementedError

    def front(self, values: torch.Tensor, mask: torch.Tensor | None) -> Features:
        """What the rule gives, with the arguments of ``forward``: ``(B, T, D)`` float32.

        A row's real tokens must not depend on the others, nor on how long the batch is.
        """
        raise NotImplementedError

    def behind_front(self, features: Features) -> Features:
        """What ``front`` gave, as the fusion takes it."""
        raise NotImplementedError

    def front_length(self, longest: int) -> int:
        """T of a batch whose longest content is so long.

        As many as ``front`` gives of it, so that statistics over the batch, padding among it, are
        the same either way.
        """
        raise NotImplementedError
