"""The sample of a finding: its inputs to look at and listen to, its label, what each input says."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from mmstudio.evaluation.findings import LABEL, UNLABELLED, Finding
from mmstudio.gui import style
from mmstudio.gui.media.medium import medium_of
from mmstudio.gui.media.views.input_detail import InputDetail
from mmstudio.gui.parts.cards import button, label
from mmstudio.gui.parts.emptied import empty
from mmstudio.gui.state.job_runner import JobRunner
from mmstudio.gui.state.project_store import ProjectStore

COLUMNS = 2
WIDE = 900
"""From this width on three inputs stand side by side, pixels."""
HEAD_HEIGHT = 80
"""Of a content's card, besides the content, pixels."""
MOST_OTHERS = 8


class CaseView(QWidget):
    """Shows one row of the project's table; `row_shown` brings which: copies are shown too."""

    row_shown = Signal(int)

    def __init__(
        self, jobs: JobRunner, project: ProjectStore, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._jobs, self._project = jobs, project
        self._parts: dict[tuple[str, str], InputDetail] = {}
        self._finding: Finding | None = None
        self._wanted: list[tuple[str, str]] = []
        self._columns = 0
        self.title = label("", "section", wrap=True)
        self.title.setObjectName("Sample to decide on")
        self.words = label("", "muted", wrap=True)
        self.words.setObjectName("What is said of it")
        self._others = QHBoxLayout()
        self._others.setSpacing(4)
        holder = QWidget()
        across = QHBoxLayout(holder)
        across.setContentsMargins(0, 0, 6, 0)
        across.setSpacing(12)
        self._sides = [QVBoxLayout() for _ in range(COLUMNS + 1)]
        for side in self._sides:
            side.setSpacing(12)
            side.addStretch(1)
            across.addLayout(side)
        self._across = across
        area = QScrollArea(self)
        area.setWidgetResizable(True)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(holder)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(style.SPACE)
        box.addWidget(self.title)
        box.addWidget(self.words)
        box.addLayout(self._others)
        box.addWidget(area, 1)

    def show_finding(self, finding: Finding | None, matter: str) -> None:
        """Show a finding's row, or nothing.

        Args:
            finding: Which.
            matter: What is the matter with it, in a few words.
        """
        self._finding = finding
        empty(self._others)
        if finding is None:
            self.title.setText("")
            self.words.setText("")
            for part in self._parts.values():
                part.forget()
                part.hide()
            self._columns = 0
            return
        self.title.setText(self.tr("Row {0}: {1}").format(f"{finding.row + 1:,}", matter))
        self.words.setText("\n".join(self._sentences(finding)))
        if finding.others:
            self._offer_rows(finding)
        self.show_row(finding.row)

    def show_row(self, row: int) -> None:
        """Show a row of the table: the finding's own, or one that it is a copy of."""
        table, experiment = self._project.table, self._project.experiment
        if table is None or experiment is None or not 0 <= row < len(table):
            return
        from mmstudio.project.rows import inputs_of

        values = inputs_of(table, experiment, row)
        kinds = {name: experiment.inputs[name].modality for name in values}
        for key, part in self._parts.items():
            if kinds.get(key[0]) != key[1]:
                part.forget()
        if list(kinds.items()) != self._wanted:
            self._wanted, self._columns = list(kinds.items()), 0
        for name, value in values.items():
            if (name, kinds[name]) not in self._parts:
                self._parts[name, kinds[name]] = InputDetail(self._jobs, name, kinds[name])
            self._parts[name, kinds[name]].show_value(row, value)
        self._lay_out()
        self.row_shown.emit(row)

    def _lay_out(self) -> None:
        columns = max(1, min(COLUMNS + (self.width() >= WIDE), len(self._wanted)))
        if columns == self._columns:
            return
        self._columns = columns
        heights = [0] * columns
        for key, part in self._parts.items():
            for side in self._sides:
                side.removeWidget(part)
            part.setVisible(key in self._wanted)
            if key not in self._wanted:
                continue
            shortest = heights.index(min(heights))
            self._sides[shortest].insertWidget(self._sides[shortest].count() - 1, part)
            heights[shortest] += medium_of(key[1]).height + HEAD_HEIGHT
        for at in range(len(self._sides)):
            self._across.setStretch(at, int(at < columns))

    def resizeEvent(self, event: object) -> None:
        """Qt's."""
        super().resizeEvent(event)  # type: ignore[arg-type]
        if self._wanted and self._finding is not None:
            self._lay_out()

    def _sentences(self, finding: Finding) -> list[str]:
        """What is known of a row."""
        lines = []
        if finding.kind == LABEL:
            lines.append(self.tr("{target} is “{given}” in the table; all inputs together say "
                                 "“{suggested}”.").format(
                target=finding.target, given=finding.given, suggested=finding.suggested))
            if finding.says:
                lines.append(self.tr("Alone: {answers}.").format(answers=", ".join(
                    f"{s.input} “{s.label}”"
                    + (f" {100 * s.score:.0f} %" if s.score is not None else "")
                    for s in finding.says)))
        elif finding.kind == UNLABELLED and finding.suggested:
            lines.append(self.tr("The model would say “{label}”.").format(label=finding.suggested))
        elif finding.inputs:
            lines.append(self.tr("Seen in {inputs}.").format(inputs=", ".join(finding.inputs)))
        table, experiment = self._project.table, self._project.experiment
        if finding.kind not in (LABEL, UNLABELLED) and table is not None and experiment is not None:
            lines += [f"{name}: {table.cell(finding.row, settings.column) or '—'}"
                      for name, settings in experiment.active_targets.items()
                      if settings.column in table.columns]
        return lines

    def _offer_rows(self, finding: Finding) -> None:
        """A button for the row itself and one for each of its copies."""
        self._others.addWidget(label(self.tr("Compare with"), "muted"))
        for row in (finding.row, *finding.others[:MOST_OTHERS]):
            text = (self.tr("this row") if row == finding.row
                    else self.tr("row {0}").format(f"{row + 1:,}"))
            one = button(text, mark="link", name=self.tr("Show row {0}").format(f"{row + 1:,}"))
            one.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            one.clicked.connect(lambda _, row=row: self.show_row(row))
            self._others.addWidget(one)
        self._others.addStretch(1)
