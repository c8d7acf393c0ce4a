"""The Model page's cards: what all have in common, and the one of a target."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QComboBox, QHBoxLayout, QLabel, QWidget

from mmstudio.gui import style
from mmstudio.gui.forms import OptionsForm, guard_wheel, readable
from mmstudio.gui.parts.cards import Card, Disclosure, ElidedLabel, IconLabel, label
from mmstudio.gui.plain_text import plain_tip
from mmstudio.gui.state.project_store import ProjectStore
from mmstudio.registry import Option, options_of
from mmstudio.tasks.kinds import find_kind

if TYPE_CHECKING:
    from mmstudio.experiment import TargetSettings

WEIGHT = Option(
    "weight", "float", 1.0, "how much this target counts beside the others", 0.0, 1000.0
)

LABEL_WIDTH = 96


class ComponentCard(Card):
    """A card around one component of the experiment.

    `reshaped` is sent when its height may have changed.
    """

    reshaped = Signal()

    def __init__(self, project: ProjectStore, parent: QWidget | None = None) -> None:
        super().__init__(parent=parent)
        self._project = project
        self.body.setSpacing(style.SPACE)

    def _edit(self, *key: str) -> Callable[[Any], None]:
        def edit(value: Any) -> None:
            self._project.edit(key, value)

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
            lambda _: self._project.edit(key, combo.currentData())
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
    combo.setToolTip(plain_tip(combo.currentText()))  # in a narrow window it may be cut
    combo.blockSignals(False)


class TargetCard(ComponentCard):
    """One target: whether it is learnt, its task, how much it counts."""

    def __init__(self, project: ProjectStore, name: str) -> None:
        super().__init__(project)
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
        if settings.columns:
            return self.tr("From {0} columns: {1}").format(
                len(settings.columns), ", ".join(settings.columns))
        column = next((c for c in self._project.columns if c.name == settings.column), None)
        if column is None:
            return self.tr("From the column “{0}”").format(settings.column)
        kind = find_kind(settings.task)
        count = (self.tr("{0:,} classes") if kind is not None and kind.one_label
                 else self.tr("{0:,} different values"))
        text = count.format(column.distinct)
        if settings.column != self.name:
            text = self.tr("From the column “{0}”").format(settings.column) + " · " + text
        if column.missing:
            text += " · " + self.tr("{0:,} rows without it").format(column.missing)
        return text

    def _form(self, task: type) -> QWidget:
        experiment = self._project.experiment
        values: dict[str, Any] = {}
        if experiment is not None:
            settings = experiment.targets[self.name]
            values = {"weight": settings.weight, **settings.options}
        options = {"weight": WEIGHT, **options_of(task)}
        form = OptionsForm(options, values, prefix=self.name, label_width=LABEL_WIDTH)
        form.changed.connect(
            lambda option, value: self._project.edit(("targets", self.name, option), value)
        )
        return form
