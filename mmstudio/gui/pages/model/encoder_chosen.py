"""The line on an input's card that says which encoder the last training chose for it, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mmstudio.gui.forms import readable
from mmstudio.gui.parts.cards import IconNote
from mmstudio.gui.plain_text import plain_tip
from mmstudio.pretrained import published

if TYPE_CHECKING:
    from mmstudio.gui.state.runs_store import RunsStore


class EncoderChosenLine(IconNote):
    """Tells of the newest run that chose an encoder for the input; hidden where there is none."""

    def __init__(self, runs: RunsStore, name: str) -> None:
        super().__init__("mdi6.auto-fix", "accent", "small")
        self._runs = runs
        self._name = name
        self.label.setObjectName(f"{name} encoder chosen")

    def show_choice(self, modality: str, encoders: Mapping[str, type]) -> bool:
        """Show the latest choice; True where the line's text has changed.

        Args:
            modality: The input's.
            encoders: Those of its modality by name; with none the line is hidden.
        """
        chosen = next((run.chosen[self._name] for run in self._runs.listed
                       if self._name in run.chosen), None)
        if chosen is None or not encoders:
            return self.show_text("")
        if chosen.model:
            title = published.title_of(chosen.model, modality)
        else:
            encoder = encoders.get(chosen.encoder)
            title = readable(chosen.encoder) if encoder is None else encoder.title  # type: ignore[attr-defined]
        why = chosen.reason.partition(": ")[0].rstrip(".")
        self.setToolTip(plain_tip(chosen.reason))  # with its figures
        return self.show_text(self.tr("Last time: {title}. {why}.").format(title=title, why=why))

