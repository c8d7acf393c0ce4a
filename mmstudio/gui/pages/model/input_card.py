"""The Model page's card of one input."""

from __future__ import annotations

import dataclasses
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from mmstudio.experiment import AUTO, MODALITY_DROPOUT
from mmstudio.gui import style
from mmstudio.gui.forms import OptionsForm, readable
from mmstudio.gui.media.medium import medium_of
from mmstudio.gui.pages.model.component_cards import LABEL_WIDTH, ComponentCard
from mmstudio.gui.pages.model.encoder_choice import EncoderChoice, Entry
from mmstudio.gui.pages.model.encoder_chosen import EncoderChosenLine
from mmstudio.gui.pages.model.published_model import (
    PublishedModelView,
    encoder_options,
    input_options,
)
from mmstudio.gui.parts.cards import IconLabel, IconNote, label
from mmstudio.gui.plain_text import plain_tip
from mmstudio.gui.state.data_check import DataCheck
from mmstudio.gui.state.download_manager import DownloadManager
from mmstudio.gui.state.job_runner import JobRunner
from mmstudio.gui.state.project_store import ProjectStore
from mmstudio.gui.state.runs_store import RunsStore
from mmstudio.pretrained import published
from mmstudio.registry import Option, options_of
from mmstudio.units import size_text

if TYPE_CHECKING:
    from mmstudio.data.checks import Report
    from mmstudio.experiment import InputSettings

ROOM_FOR_TITLE = 252


class InputCard(ComponentCard):
    """One input: whether it is used, its encoder, and how it is read.

    `series` is the number of its colour.
    """

    def __init__(
        self, jobs: JobRunner, project: ProjectStore, check: DataCheck, runs: RunsStore,
        models: DownloadManager, name: str
    ) -> None:
        super().__init__(project)
        self._jobs, self._data_check, self._runs, self._models = jobs, check, runs, models
        self.name = name
        self.series = 0
        self._shown_forms: tuple[Any, ...] = ()
        self._modality = ""
        self._encoders: dict[str, type] = {}
        self._settings: InputSettings | None = None
        self.check = self._check(name, ("inputs", name))
        self._kind_icon = IconLabel("mdi6.file-outline", 20, "muted")
        self._kind = label("", "small")
        head = QHBoxLayout()
        head.addWidget(self.check, 1)
        head.addWidget(self._kind)
        head.addWidget(self._kind_icon)
        self.body.addLayout(head)
        self.encoder = EncoderChoice(f"{name} encoder")
        self.encoder.chosen.connect(self._choose)
        self.encoder.other_asked.connect(self.ask_other)
        self._encoder_title = label(self.tr("Encoder"), "muted")
        self._encoder_title.setBuddy(self.encoder)
        self._row = QWidget()
        row = QHBoxLayout(self._row)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._encoder_title)
        row.addWidget(self.encoder, 1)
        self.body.addWidget(self._row)
        self._summary = label("", "small", wrap=True)
        self.body.addWidget(self._summary)
        self._last_choice = EncoderChosenLine(self._runs, name)
        self.body.addWidget(self._last_choice)
        self._advice = IconNote("mdi6.lightbulb-on-outline", "accent", "small")
        self._advice.label.setObjectName(f"{name} advice")
        self.body.addWidget(self._advice)
        self.published = PublishedModelView(self._models, name)
        self.published.tuned.connect(self._edit("inputs", name, "encoder", "tuning"))
        self.body.addWidget(self.published)
        self.more = self._more(f"{name} more options")
        self.body.addWidget(self.more)
        style.changed.connect(self._tint)
        self._models.changed.connect(self._show_models)
        self._data_check.changed.connect(self._show_advice)
        self._runs.changed.connect(self._show_last_choice)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """In a narrow card the encoder's name is worth more than the word before it."""
        super().resizeEvent(event)
        self._encoder_title.setVisible(event.size().width() >= ROOM_FOR_TITLE)

    def show_settings(self, settings: InputSettings, encoders: dict[str, type]) -> None:
        """Show the input as the experiment has it."""
        from mmstudio.modalities import MODALITIES

        modality = MODALITIES.get(settings.modality)
        self._modality, self._encoders, self._settings = settings.modality, encoders, settings
        self.check.setChecked(settings.use)
        self._kind.setText(modality.title)
        column = self.tr("From the column “{0}”").format(settings.column)
        if settings.columns:
            column = self.tr("From the columns {0}").format(settings.column_words)
        self._kind.setToolTip(plain_tip(column))
        looks = self.tr("Whether the model looks at this input")
        self.check.setToolTip(plain_tip(f"{looks}\n{column}"))
        self._tint()
        self._offer_encoders()
        self._show_advice(self._data_check.report)
        self._show_last_choice()
        for widget in (self._row, self._summary, self._last_choice, self._advice, self.published,
                       self.more):
            widget.setEnabled(settings.use)
        encoder = encoders.get(settings.encoder.name)
        known = encoder is not None or (self._is_automatic and bool(encoders))
        self._summary.setVisible(
            known and not self._is_published and not self._last_choice.label.text())
        self.published.setVisible(known and self._is_published)
        self.more.setVisible(known)
        if not known:
            return
        self._summary.setText(
            self._automatic().tip if encoder is None else encoder.summary)  # type: ignore[attr-defined]
        if self._is_published:
            self.published.show_settings(settings, published.model_of(settings))
        self._show_forms(settings, encoder)

    @property
    def _is_published(self) -> bool:
        """Whether a published model is chosen."""
        return (self._settings is not None
                and self._settings.encoder.name == published.encoder_name(self._modality))

    @property
    def _is_automatic(self) -> bool:
        """Whether the training chooses."""
        return self._settings is not None and self._settings.encoder.name == AUTO

    def _automatic(self) -> Entry:
        return Entry(AUTO, self.tr("Automatic"),
                     tip=self.tr("Chosen when training starts, by what your data shows."))

    def _show_last_choice(self) -> None:
        encoders = self._encoders if self._is_automatic else {}
        if self._last_choice.show_choice(self._modality, encoders):
            if self._is_automatic:  # what the line tells includes that the training chooses
                self._summary.setVisible(not self._last_choice.label.text())
            self.reshaped.emit()

    def _show_advice(self, report: Report | None) -> None:
        """Where the check found that another encoder helps, say so beside the choice."""
        settings = self._settings
        found = [] if report is None or settings is None or self._is_published else [
            p.message for p in takewhile(lambda p: p.row < 0, report.problems)  # these come first
            if p.kind == "new_words" and p.column == settings.column]
        helps = self.tr("A published model knows words from elsewhere.")
        if self._advice.show_text(f"{found[0]} {helps}" if found else ""):
            self.reshaped.emit()

    # The box of encoders --------------------------------------------------------------------

    def _offer_encoders(self) -> None:
        settings = self._settings
        if settings is None:
            return
        name = settings.encoder.name
        shown = f"{name}:{published.model_of(settings)}" if self._is_published else name
        self.encoder.setEnabled(bool(self._encoders))
        if not self._encoders:  # before they are known
            model = published.model_of(settings)
            title = published.title_of(model, self._modality) if model else readable(name)
            self.encoder.offer(
                [self._automatic() if self._is_automatic else Entry(shown, title)], [], shown)
            return
        own = published.encoder_name(self._modality)
        scratch = [
            Entry(n, cls.title, tip=cls.summary)  # type: ignore[attr-defined]
            for n, cls in self._encoders.items() if n != own
        ]
        models = self._model_entries(own, settings) if own in self._encoders else []
        self.encoder.offer([self._automatic(), *scratch], models, shown)

    def _model_entries(self, own: str, settings: InputSettings) -> list[Entry]:
        from mmstudio.pretrained.catalogue import catalogue

        listed = catalogue(self._modality)
        entries = [
            Entry(f"{own}:{entry.id}", entry.title, self._note(entry.id, entry.download_bytes),
                  entry.good_for)
            for entry in listed
        ]
        chosen = published.model_of(settings)
        if self._is_published and chosen not in {entry.id for entry in listed}:
            title = published.title_of(chosen, self._modality)
            entries.append(Entry(f"{own}:{chosen}", title, self._note(chosen, 0), chosen))
        return entries

    def _note(self, model: str, size: int) -> str:
        if self._models.is_here(model) or published.is_path(model):
            return self.tr("on this computer")
        if not published.is_downloaded(model):
            return self.tr("not installed")
        return self.tr("download {0}").format(size_text(size)) if size else self.tr("download")

    def _show_models(self) -> None:
        """More is known of what is on this computer."""
        self._offer_encoders()
        self.reshaped.emit()

    def _choose(self, name: str, model: str) -> None:
        """Take an encoder; what was set of a published one is kept for another model."""
        key = ("inputs", self.name, "encoder")
        if not model:
            self._project.edit((*key, "name"), name)
            return
        settings = self._settings
        kept = dict(settings.encoder.options) if settings and self._is_published else {}
        self._project.edit(key, {"name": name, **kept, "model": model})

    def ask_other(self) -> None:
        """Ask for a model that is not in the list."""
        from mmstudio.gui.pages.model.other_model import OtherModelDialog

        dialog = OtherModelDialog(self._jobs, self._models, self.name, self._modality, self)
        own = published.encoder_name(self._modality)
        dialog.chosen.connect(lambda model: self._choose(own, model))
        dialog.open()

    # The rest of the options ----------------------------------------------------------------

    def _show_forms(self, settings: InputSettings, encoder: type | None) -> None:
        tuning = settings.encoder.options.get("tuning", "frozen")
        shown = (settings.encoder.name, tuning, self._general_dropout())
        if self._shown_forms != shown:
            self._shown_forms = shown
            self.more.replace(lambda: self._forms(encoder))
        for form, part in zip(self.findChildren(OptionsForm), self._values(settings), strict=False):
            form.set_values(part)

    def _values(self, settings: InputSettings) -> list[dict[str, Any]]:
        dropout = settings.modality_dropout
        own = {} if dropout is None else {"modality_dropout": dropout}
        return [settings.encoder.options, settings.options, own]

    def _general_dropout(self) -> float:
        """The chance of being hidden that an input without one of its own has."""
        experiment = self._project.experiment
        return 0.0 if experiment is None else experiment.training.modality_dropout

    def _edit_dropout(self, value: float) -> None:
        """What is the same as for all inputs follows them from then on."""
        own = None if value == self._general_dropout() else value
        self._project.edit(("inputs", self.name, "modality_dropout"), own)

    def _options(
        self, encoder: type | None
    ) -> tuple[dict[str, Option], dict[str, Option]]:
        """The encoder's options and the input's own; beside a published model those that count.

        An encoder that the training chooses, None, has no options.
        """
        from mmstudio.modalities import MODALITIES

        options = {} if encoder is None else options_of(encoder)
        own = options_of(MODALITIES.get(self._modality))
        if not self._is_published or self._settings is None:
            return options, own
        tuning = self._settings.encoder.options.get("tuning", "frozen")
        return encoder_options(options, tuning), input_options(own)

    def _forms(self, encoder: type | None) -> QWidget:
        encoders, own = self._options(encoder)
        values = self._values(self._settings) if self._settings is not None else [{}, {}, {}]
        holder = QWidget()
        box = QVBoxLayout(holder)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(style.SPACE)
        for options, chosen, part in ((encoders, values[0], ("encoder",)), (own, values[1], ())):
            form = OptionsForm(options, chosen, prefix=self.name, label_width=LABEL_WIDTH)
            form.setVisible(bool(options))
            form.changed.connect(
                lambda option, value, where=part: self._project.edit(
                    ("inputs", self.name, *where, option), value
                )
            )
            box.addWidget(form)
        general = dataclasses.replace(MODALITY_DROPOUT, default=self._general_dropout())
        form = OptionsForm({general.name: general}, values[2], prefix=self.name,
                           label_width=LABEL_WIDTH)
        form.changed.connect(lambda _, value: self._edit_dropout(value))
        box.addWidget(form)
        return holder

    def _tint(self) -> None:
        icon = medium_of(self._modality).icon
        self._kind_icon.show_icon(icon, style.series(self.series).name())
