"""Watching each input while the model learns: its own loss, its share of the gradient."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from mmstudio.combining.input_heads import InputHeads
from mmstudio.data.batches import Batch
from mmstudio.data.schema import Schema
from mmstudio.encoders.base import Features
from mmstudio.experiment import Experiment
from mmstudio.training.model import MultimodalModel
from mmstudio.training.modulation import Modulation
from mmstudio.training.optimise import clip_gradients, make_optimiser

MOST_BUNDLED = 8
"""How many steps' features the heads take at once, at most, where they only watch."""
CHANCE, ENOUGH = 0.03, 0.1
"""An input that tells less than the one may tell nothing; from the other on its loss counts in
full: soon, for what is learnt first decides which inputs are left behind (Huang et al. 2022)."""
HEARING = 0.1
"""What a step adds to the mean of how much an input tells of the targets."""
FOLDED_STEPS = 256
"""After how many steps the noted norms become sums: what is kept of an epoch stays small."""

_Seen = tuple[list[torch.Tensor], torch.Tensor, Batch]
"""Per input pooled features ``(B, D_i)``; who was present ``(B, M)``; the targets."""
_Counted = tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]
"""``(M, T)`` summed losses and rows, and ``(2, M)`` summed scores and rows."""


class InputMonitor:
    """Trains an own head for each input beside the model, and says how each input fares.

    With ``training.input_loss = 0`` the heads see detached features and have an optimiser of
    their own: the model learns exactly as without them. Above 0 their losses, times that number,
    join the training loss and reach the encoders: trained together, the input that learns faster
    would leave the others half learnt (Wang et al. 2020, whose heads these are). They reach an
    encoder only as far as its input tells of the targets, or they would keep inputs that tell
    nothing alone, and much together, from learning that: the share is ``1 - loss / loss of wrong
    rows``, of the heads' answers to a batch and of the same answers turned by one row.
    A row counts for an input where the input is present and the label is known, also where
    modality dropout hides it from the fusion.

    An input's share of the gradient is the norm of the loss's gradient over its encoder's
    parameters, over the sum of these norms of all inputs; before clipping, after modulation.

    Args:
        experiment: A completed experiment.
        schema: What was learnt from its training rows.
        model: Whose inputs are watched; on its device.
        steps_per_epoch: Of the training.
    """

    def __init__(
        self, experiment: Experiment, schema: Schema, model: MultimodalModel, steps_per_epoch: int
    ) -> None:
        settings = experiment.training
        self.names = model.names
        self.heads = InputHeads(experiment, schema, [e.width for e in model.encoders])  # type: ignore[misc]
        self.device = model.absent[0].device
        self.heads.to(self.device)
        self.best = {n: t.cpu() for n, t in self.heads.state_dict().items()}
        """Those of the best model so far."""
        self.optimiser = make_optimiser(self.heads, settings, steps_per_epoch)
        self.modulation = Modulation.of(settings)
        self.joined = settings.input_loss
        self.told = torch.zeros(len(self.names), device=self.device)
        """``(M,)`` how much of the targets each input tells, up to 1, of late."""
        self.clip = settings.gradient_clip
        self._highest_rate, self._last_rate = settings.learning_rate, 0.0
        self._weights = torch.tensor(
            [t.weight for t in experiment.active_targets.values()], device=self.device)
        self._encoders = [list(e.parameters()) for e in model.encoders]
        self._places = {
            id(p): (i, at) for i, at, p in (
                (i, at, p) for i, ps in enumerate(self._encoders) for at, p in enumerate(ps))}
        # scores and a joined loss are of the batch at hand; heads that only watch take several
        # batches at once, which costs less, and still make eight steps or more in an epoch
        alone = self.joined > 0 or self.modulation is not None
        self._bundle_size = 1 if alone else min(MOST_BUNDLED, max(1, steps_per_epoch // 8))
        self.begin_epoch(0)

    def begin_epoch(self, seed: int) -> None:
        """Forget the last epoch's sums."""
        shape = (len(self.names), len(self.heads.targets))
        self._bundle: list[_Seen] = []
        self._counted: list[_Counted] = []
        self._loss = torch.zeros(shape, device=self.device)
        self._rows = torch.zeros(shape, device=self.device)
        self._norms: list[tuple[list[nn.Parameter], torch.Tensor]] = []
        self._shares = torch.zeros(len(self.names), device=self.device)
        self._steps = 0
        if self.modulation is not None:
            self.modulation.begin_epoch(seed, len(self.names), self.device)

    def begin_step(self, rate: float, rows: torch.Tensor | None = None) -> None:
        """A step begins, or starts over in smaller parts.

        Args:
            rate: Its learning rate.
            rows: ``(M, T)`` how many of its rows count for each input and target; None where it
                is made in one part.
        """
        if self.joined > 0 and rate >= self._last_rate:
            # these heads need no warm-up, and the encoders wait for what they tell
            self._last_rate, rate = rate, self._highest_rate
        for group in self.optimiser.param_groups:
            # as many rows fewer steps: each goes as much farther
            group["lr"] = rate * math.sqrt(self._bundle_size)
        self._whole = None if rows is None else rows.to(self.device).clamp(min=1)
        self._step: list[_Seen] = []
        self._counted = []
        if self.joined > 0:
            self.optimiser.zero_grad(set_to_none=True)

    def observe(
        self, features: Sequence[Features], present: torch.Tensor, batch: Batch,
        scales: torch.Tensor | None = None,
    ) -> torch.Tensor | None:
        """Look at a part of the step; the loss that joins the training loss, None where none does.

        Args:
            features: As ``MultimodalModel.encoded`` gave them.
            present: ``(B, M)`` bool.
            batch: Its targets, on the device.
            scales: ``(T,)`` what the targets' losses are multiplied with besides their weights:
                what counts little for the answers must not lead the encoders from here.
        """
        with torch.set_grad_enabled(self.joined > 0):
            pooled = [f.pooled().float() for f in features]
        if self.joined > 0:
            # the same numbers, of whose gradient a share goes on
            pooled = [torch.lerp(one.detach(), one, share)
                      for one, share in zip(pooled, self._passed(), strict=True)]
        self._step.append(([p.detach() for p in pooled], present, batch))
        if self.joined == 0:
            return None
        losses, rows = self._losses(pooled, present, batch)
        if self._whole is not None:
            losses = losses * (rows / self._whole)
        weights = self._weights if scales is None else self._weights * scales
        return self.joined * (losses * weights).sum()

    def pooled(self) -> list[torch.Tensor]:
        """Per input ``(B, D_i)`` what was seen last, without gradients."""
        return self._step[-1][0]

    def end_step(self, whole: _Seen | None = None) -> None:
        """All parts of the step were seen.

        Args:
            whole: What several processes saw, of which this one saw a part; None where it saw all.
        """
        seen = _joined(self._step, self.heads.targets) if whole is None else whole
        if whole is not None and self.joined > 0:
            self._counted = []
            with torch.no_grad():
                self._losses(*whole)
        if self.joined > 0:
            self._hear(*seen)
            self._count()
            return
        self._bundle.append(seen)
        if len(self._bundle) >= self._bundle_size:
            self._learn()

    def after_backward(self, scaler: torch.amp.GradScaler) -> None:
        """The gradients stand: scale those of the encoders, let joined heads make their step."""
        if self.modulation is not None:
            self.modulation.apply(self._encoders)
        if self.joined > 0:
            scaler.unscale_(self.optimiser)
            clip_gradients(self.heads.parameters(), self.clip)
            scaler.step(self.optimiser)

    def note_norms(self, moved: list[nn.Parameter], norms: torch.Tensor) -> None:
        """Take what ``clip_gradients`` gave; it is worked out when there is time."""
        self._norms.append((moved, norms))
        if len(self._norms) >= FOLDED_STEPS:
            self._fold()

    def figures(self) -> dict[str, dict[str, float]]:
        """Per input ``loss``, ``gradient_share`` and, where it is on, ``modulation``.

        ``loss`` is the weighted sum over the targets of the mean over the epoch's rows that
        count; nan where there is none. ``modulation`` is the mean of the factors.
        """
        self._learn()
        self._fold()
        means = self._loss / self._rows  # nan where no row counts
        losses = ((means * self._weights).nansum(dim=1)
                  .masked_fill((self._rows == 0).all(dim=1), float("nan"))).tolist()
        shares = (self._shares / max(1, self._steps)).tolist()
        found = {name: {"loss": losses[i], "gradient_share": shares[i]}
                 for i, name in enumerate(self.names)}
        if self.modulation is not None:
            for name, factor in zip(self.names, self.modulation.means(), strict=True):
                found[name]["modulation"] = factor
        return found

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs."""
        return {"heads": self.heads.state_dict(), "optimiser": self.optimiser.state_dict(),
                "told": self.told, "last_rate": self._last_rate, "best": self.best}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with what ``state_dict`` gave."""
        self.heads.load_state_dict(state["heads"])
        self.best = state.get("best", state["heads"])
        self.optimiser.load_state_dict(state["optimiser"])
        if "told" in state:  # not in a run from before own losses went by it
            self.told.copy_(state["told"])
            self._last_rate = state["last_rate"]

    def epoch_state(self) -> dict[str, Any]:
        """What a resume within the epoch needs besides ``state_dict``."""
        self._fold()
        return {
            "loss": self._loss, "rows": self._rows, "shares": self._shares, "steps": self._steps,
            "bundle": [{"pooled": pooled, "present": present,
                        "targets": {n: batch.targets[n] for n in self.heads.targets},
                        "known": {n: batch.known[n] for n in self.heads.targets}}
                       for pooled, present, batch in self._bundle],
            "modulation": None if self.modulation is None else self.modulation.epoch_state()}

    def load_epoch_state(self, state: Mapping[str, Any]) -> None:
        """Go on with what ``epoch_state`` gave; ``begin_epoch`` was called before."""
        self._loss.copy_(state["loss"])
        self._rows.copy_(state["rows"])
        self._shares.copy_(state["shares"])
        self._steps = int(state["steps"])
        self._bundle = [
            ([p.to(self.device) for p in one["pooled"]], one["present"].to(self.device),
             Batch({}, one["targets"], one["known"]).to(self.device))
            for one in state["bundle"]]
        if self.modulation is not None and state["modulation"] is not None:
            self.modulation.load_epoch_state(state["modulation"])

    def _learn(self) -> None:
        """One step of the heads on the features that wait."""
        if not self._bundle:
            return
        seen = _joined(self._bundle, self.heads.targets)
        self._bundle, self._counted = [], []
        self.optimiser.zero_grad(set_to_none=True)
        losses, _ = self._losses(*seen)
        (losses * self._weights).sum().backward()  # type: ignore[no-untyped-call]
        clip_gradients(self.heads.parameters(), self.clip)
        self.optimiser.step()
        self._count()

    def _losses(
        self, pooled: Sequence[torch.Tensor], present: torch.Tensor, batch: Batch
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """``(M, T)`` each head's mean loss, 0 where no row counts, and the rows that it is of."""
        outputs = self.heads(pooled)
        known = torch.stack([batch.known[n] for n in self.heads.targets], dim=1)  # (B, T)
        rows = present.float().T @ known.float()
        losses = self._each_loss(outputs, present, known, batch)
        scores = None if self.modulation is None else self._scores(outputs, present, known, batch)
        self._counted.append((losses.detach() * rows, rows, scores))
        return losses, rows

    def _each_loss(
        self, outputs: list[list[torch.Tensor]], present: torch.Tensor, known: torch.Tensor,
        batch: Batch,
    ) -> torch.Tensor:
        """``(M, T)`` each head's mean loss, 0 where no row counts."""
        return torch.stack([
            torch.stack([
                task.loss(outputs[i][t], batch.targets[name], known[:, t] & present[:, i])
                for t, (name, task) in enumerate(
                    zip(self.heads.targets, self.heads.tasks(i), strict=True))])
            for i in range(len(self.names))])

    def _passed(self) -> torch.Tensor:
        """``(M,)`` the share of the own loss's gradient that reaches the encoder."""
        return ((self.told - CHANCE) / (ENOUGH - CHANCE)).clamp(0, 1)

    @torch.no_grad()
    def _hear(self, pooled: list[torch.Tensor], present: torch.Tensor, batch: Batch) -> None:
        """How much of the targets each input told in this step joins the mean."""
        if len(present) < 2:
            return  # no other row to compare with
        outputs = self.heads(pooled)
        turned = [[o.roll(1, dims=0) for o in one] for one in outputs]
        known = torch.stack([batch.known[n] for n in self.heads.targets], dim=1)  # (B, T)
        both = present & present.roll(1, dims=0)  # the answers of absent inputs mean nothing
        right, wrong = ((self._each_loss(o, both, known, batch) * self._weights).sum(dim=1)
                        for o in (outputs, turned))
        told = (1 - right / wrong).clamp(-1, 1)
        self.told = torch.where(told.isfinite(), torch.lerp(self.told, told, HEARING), self.told)

    def _count(self) -> None:
        """What was seen joins the sums, and the modulation is told the step's scores."""
        for loss, rows, _ in self._counted:
            self._loss += loss
            self._rows += rows
        scores = [s for _, _, s in self._counted if s is not None]
        if self.modulation is not None and scores:
            total, rows = torch.stack(scores).sum(dim=0)
            self.modulation.take_scores(total / rows)  # nan where no row counts
        self._counted = []

    def _scores(
        self, outputs: list[list[torch.Tensor]], present: torch.Tensor, known: torch.Tensor,
        batch: Batch,
    ) -> torch.Tensor:
        """``(2, M)`` how probable each input's heads hold the truth, summed, and of how many."""
        found = []
        with torch.no_grad():
            for i in range(len(self.names)):
                total, rows = present.new_zeros(()).float(), present.new_zeros(()).float()
                for t, (name, task) in enumerate(
                    zip(self.heads.targets, self.heads.tasks(i), strict=True)
                ):
                    counts = known[:, t] & present[:, i]
                    each = task.truth_scores(outputs[i][t], batch.targets[name])
                    total, rows = total + (each * counts).sum(), rows + counts.sum()
                found.append(torch.stack([total, rows]))
        return torch.stack(found, dim=1)

    def _fold(self) -> None:
        """Add up the shares of the steps whose norms were noted."""
        for moved, norms in self._norms:
            squares = torch.zeros(len(self.names), device=self.device)
            places = [(self._places[id(p)][0], at) for at, p in enumerate(moved)
                      if id(p) in self._places]
            if not places:
                continue
            inputs, at = (torch.tensor(x, device=self.device) for x in zip(*places, strict=True))
            squares.index_add_(0, inputs, norms[at].square())
            each = squares.sqrt()
            share = each / each.sum()
            if bool(share.isfinite().all()):
                self._shares += share
                self._steps += 1
        self._norms = []


def _joined(seen: Sequence[_Seen], targets: Sequence[str]) -> _Seen:
    """Several batches as one."""
    if len(seen) == 1:
        return seen[0]
    batches = [batch for _, _, batch in seen]
    return (
        [torch.cat(parts) for parts in zip(*(pooled for pooled, _, _ in seen), strict=True)],
        torch.cat([present for _, present, _ in seen]),
        Batch({}, {n: torch.cat([b.targets[n] for b in batches]) for n in targets},
              {n: torch.cat([b.known[n] for b in batches]) for n in targets}))
