"""The Model page's cards: one per input, one per target."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QCheckBox, QComboBox, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from mmstudio.experiment import MODALITY_DROPOUT
from mmstudio.gui import style
from mmstudio.gui.forms import OptionsForm, guard_wheel, readable
from mmstudio.gui.session import Session
from mmstudio.gui.widgets.cards import Card, Disclosure, ElidedLabel, IconLabel, label
from mmstudio.registry import Option, options_of

if TYPE_CHECKING:
    from mmstudio.experiment import InputSettings, TargetSettings

WEIGHT = Option(
    "weight", "float", 1.0, "how much this target counts beside the others", 0.0, 1000.0
)

LABEL_WIDTH = 96
ROOM_FOR_TITLE = 252


class ComponentCard(Card):
    """A card around one component of the experiment.

    `reshaped` is sent when its height may have changed.
    """

    reshaped = Signal()

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent=parent)
        self._session = session
        self.body.setSpacing(style.SPACE)

    def _edit(self, *key: str) -> Callable[[Any], None]:
        def edit(value: Any) -> None:
            self._session.edit(key, value)

        return edit

    def _check(self, name: str, key: tuple[str, ...]) -> QCheckBox:
        check = QCheckBox(name)
        check.setAccessibleName(name)
        check.setObjectName(name)
        style.mark(check, "heading")
        check.clicked.connect(self._edit(*key, "use"))
        return check

    def _combo(self, name: str, key: tuple[str, ...]) -> QComboBox:
        combo = QComboBox()
        combo.setAccessibleName(name)
        combo.setObjectName(name)
        combo.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        combo.setMinimumContentsLength(8)
        guard_wheel(combo)
        combo.currentIndexChanged.connect(
            lambda _: self._session.edit(key, combo.currentData())
        )
        return combo

    def _more(self, name: str) -> Disclosure:
        more = Disclosure(self.tr("More options"), QWidget, name=name)
        more.line.toggled.connect(lambda _: self.reshaped.emit())
        return more


def show_choices(combo: QComboBox, classes: dict[str, type], chosen: str) -> None:
    """Fill a combo with components and choose one; only the chosen one before they are known."""
    combo.blockSignals(True)
    known = [combo.itemData(i) for i in range(combo.count())]
    names = list(classes) or [chosen]
    if known != names or (classes and combo.itemText(0) != classes[names[0]].title):  # type: ignore[attr-defined]
        combo.clear()
        for index, name in enumerate(names):
            title = classes[name].title if classes else readable(name)  # type: ignore[attr-defined]
            combo.addItem(title, name)
            if classes:
                combo.setItemData(index, classes[name].summary, 3)  # type: ignore[attr-defined]
    combo.setEnabled(bool(classes))
    combo.setCurrentIndex(max(0, combo.findData(chosen)))
    combo.setToolTip(combo.currentText())  # in a narrow window it may be cut
    combo.blockSignals(False)


class InputCard(ComponentCard):
    """One input: whether it is used, its encoder, and how it is read.

    `series` is the number of its colour.
    """

    def __init__(self, session: Session, name: str) -> None:
        super().__init__(session)
        self.name = name
        self.series = 0
        self._shown_encoder = ("", 0.0)
        self._modality = ""
        key = ("inputs", name)
        head = QHBoxLayout()
        self.check = self._check(name, key)
        head.addWidget(self.check, 1)
        self._kind_icon = IconLabel("mdi6.file-outline", 20, "muted")
        self._kind = label("", "small")
        head.addWidget(self._kind)
        head.addWidget(self._kind_icon)
        self.body.addLayout(head)
        self._row = QWidget()
        row = QHBoxLayout(self._row)
        row.setContentsMargins(0, 0, 0, 0)
        self.encoder = self._combo(f"{name} encoder", (*key, "encoder", "name"))
        self._encoder_title = label(self.tr("Encoder"), "muted")
        self._encoder_title.setBuddy(self.encoder)
        row.addWidget(self._encoder_title)
        row.addWidget(self.encoder, 1)
        self.body.addWidget(self._row)
        self._summary = label("", "small", wrap=True)
        self.body.addWidget(self._summary)
        self.more = self._more(f"{name} more options")
        self.body.addWidget(self.more)
        style.changed.connect(self._tint)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Qt's: in a narrow card the encoder's name is worth more than the word before it."""
        super().resizeEvent(event)
        self._encoder_title.setVisible(event.size().width() >= ROOM_FOR_TITLE)

    def show_settings(self, settings: InputSettings, encoders: dict[str, type]) -> None:
        """Show the input as the experiment has it."""
        from mmstudio.modalities import MODALITIES

        modality = MODALITIES.get(settings.modality)
        self._modality = settings.modality
        self.check.setChecked(settings.use)
        self._kind.setText(modality.title)
        column = self.tr("From the column “{0}”").format(settings.column)
        self._kind.setToolTip(column)
        self.check.setToolTip(self.tr("Whether the model looks at this input") + f"\n{column}")
        self._tint()
        show_choices(self.encoder, encoders, settings.encoder.name)
        for widget in (self._row, self._summary, self.more):
            widget.setEnabled(settings.use)
        encoder = encoders.get(settings.encoder.name)
        self._summary.setVisible(encoder is not None)
        self.more.setVisible(encoder is not None)
        if encoder is None:
            return
        self._summary.setText(encoder.summary)  # type: ignore[attr-defined]
        shown = (settings.encoder.name, self._general_dropout())
        if self._shown_encoder != shown:
            self._shown_encoder = shown
            self.more.replace(lambda: self._forms(settings.encoder.name, encoder))
        for form, part in zip(self.findChildren(OptionsForm), self._values(settings), strict=False):
            form.set_values(part)

    def _values(self, settings: InputSettings) -> list[dict[str, Any]]:
        dropout = settings.modality_dropout
        own = {} if dropout is None else {"modality_dropout": dropout}
        return [settings.encoder.options, settings.options, own]

    def _general_dropout(self) -> float:
        """The chance of being hidden that an input without one of its own has."""
        experiment = self._session.experiment
        return 0.0 if experiment is None else experiment.training.modality_dropout

    def _edit_dropout(self, value: float) -> None:
        """What is the same as for all inputs follows them from then on."""
        own = None if value == self._general_dropout() else value
        self._session.edit(("inputs", self.name, "modality_dropout"), own)

    def _forms(self, encoder_name: str, encoder: type) -> QWidget:
        from mmstudio.modalities import MODALITIES

        experiment = self._session.experiment
        settings = experiment.inputs[self.name] if experiment is not None else None
        values = self._values(settings) if settings is not None else [{}, {}, {}]
        holder = QWidget()
        box = QVBoxLayout(holder)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(style.SPACE)
        parts = (
            (options_of(encoder), values[0], ("encoder",)),
            (options_of(MODALITIES.get(self._modality)), values[1], ()),
        )
        for options, chosen, part in parts:
            form = OptionsForm(options, chosen, prefix=self.name, label_width=LABEL_WIDTH)
            form.changed.connect(
                lambda option, value, where=part: self._session.edit(
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
        icon = style.MODALITY_ICONS.get(self._modality, "mdi6.file-outline")
        self._kind_icon.show_icon(icon, style.series(self.series).name())


class TargetCard(ComponentCard):
    """One target: whether it is learnt, its task, how much it counts."""

    def __init__(self, session: Session, name: str) -> None:
        super().__init__(session)
        self.name = name
        self._shown_task = ""
        key = ("targets", name)
        head = QHBoxLayout()
        self.check = self._check(name, key)
        self.check.setToolTip(self.tr("Whether the model learns this target"))
        head.addWidget(self.check, 1)
        head.addWidget(IconLabel("mdi6.target", 20, "accent"))
        self.body.addLayout(head)
        self._about = ElidedLabel("", "small")
        self.body.addWidget(self._about)
        self._row = QWidget()
        row = QHBoxLayout(self._row)
        row.setContentsMargins(0, 0, 0, 0)
        self.task = self._combo(f"{name} task", (*key, "task"))
        title = label(self.tr("Task"), "muted")
        title.setBuddy(self.task)
        row.addWidget(title)
        row.addWidget(self.task, 1)
        self.body.addWidget(self._row)
        self._summary: QLabel = label("", "small", wrap=True)
        self.body.addWidget(self._summary)
        self.more = self._more(f"{name} more options")
        self.body.addWidget(self.more)

    def show_settings(self, settings: TargetSettings, tasks: dict[str, type]) -> None:
        """Show the target as the experiment has it."""
        self.check.setChecked(settings.use)
        self._about.set_text(self._words(settings))
        show_choices(self.task, tasks, settings.task)
        for widget in (self._row, self._summary, self.more):
            widget.setEnabled(settings.use)
        task = tasks.get(settings.task)
        self._summary.setVisible(task is not None)
        if task is None:
            self.more.hide()
            return
        self.more.show()
        self._summary.setText(task.summary)  # type: ignore[attr-defined]
        if self._shown_task != settings.task:
            self._shown_task = settings.task
            self.more.replace(lambda: self._form(task))
        for form in self.findChildren(OptionsForm):
            form.set_values({"weight": settings.weight, **settings.options})

    def _words(self, settings: TargetSettings) -> str:
        column = next((c for c in self._session.columns if c.name == settings.column), None)
        if column is None:
            return self.tr("From the column “{0}”").format(settings.column)
        count = self.tr("{0:,} classes")
        if settings.task != "classification":
            count = self.tr("{0:,} different values")
        text = count.format(column.distinct)
        if settings.column != self.name:
            text = self.tr("From the column “{0}”").format(settings.column) + " · " + text
        if column.missing:
            text += " · " + self.tr("{0:,} rows without it").format(column.missing)
        return text

    def _form(self, task: type) -> QWidget:
        experiment = self._session.experiment
        values: dict[str, Any] = {}
        if experiment is not None:
            settings = experiment.targets[self.name]
            values = {"weight": settings.weight, **settings.options}
        options = {"weight": WEIGHT, **options_of(task)}
        form = OptionsForm(options, values, prefix=self.name, label_width=LABEL_WIDTH)
        form.changed.connect(
            lambda option, value: self._session.edit(("targets", self.name, option), value)
        )
        return form
