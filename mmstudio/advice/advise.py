"""Advice: count, look at the data, and recommend one fusion with its reason."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mmstudio.advice.findings import Finding, findings_of
from mmstudio.advice.probe import Probe, probe
from mmstudio.advice.rules import rule_for
from mmstudio.advice.sample import Facts, Sample, counted, decoded, drawn, long_inputs
from mmstudio.data.prepare import Dataset, Progress
from mmstudio.errors import UserError
from mmstudio.experiment import Experiment
from mmstudio.fusion import FUSIONS


@dataclass(frozen=True)
class Advice:
    """One recommended fusion.

    Attributes:
        fusion: Its name.
        title: Its name for people.
        reason: Why, as the rest of the sentence "Recommended: TITLE, because …".
        rule: The name of the rule that led to it.
        source: What the rule rests on.
        facts: What was counted.
        probe: What a quick look found, None where there was none.
        findings: The same in sentences.
        note: Why there was no look at the data; "" where there was one.
        seconds: How long the look took once the data was decoded.
    """

    fusion: str
    title: str
    reason: str
    rule: str
    source: str
    facts: Facts
    probe: Probe | None = None
    findings: tuple[Finding, ...] = ()
    note: str = ""
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Plain data for ``mmstudio advise --json``."""
        data: dict[str, Any] = {
            "fusion": self.fusion, "reason": self.reason, "rule": self.rule,
            "source": self.source, "inputs": list(self.facts.inputs),
            "training_rows": self.facts.training_rows, "present": self.facts.present,
            "note": self.note, "findings": [f.to_json() for f in self.findings]}
        if self.probe is not None:
            data |= {"target": self.probe.target, "rows": self.probe.rows,
                     "chance": self.probe.chance, "kind": self.probe.kind,
                     "joint_pairs": [list(pair) for pair in self.probe.joint_pairs],
                     "seconds": round(self.seconds, 3)}
        return data


def advise(experiment: Experiment, folder: Path) -> Iterator[Progress | Advice]:
    """Recommend a fusion for an experiment, from counts and from a quick look at its data.

    The look is taken at some rows of training and validation, never at test rows, and asks for
    the first active target. Where none can be taken, the advice rests on counts and says why.

    Args:
        experiment: Its active inputs and targets, its table and split.
        folder: What ``data.table`` is relative to.

    Yields:
        Progress, last the advice. Closing the generator stops the work.

    Raises:
        UserError: The table itself can't be read.
    """
    yield Progress("Counting", 0, 1)
    facts, table, splits = counted(experiment, folder)
    if len(facts.inputs) == 1:
        yield _advice(facts, None, note="With one input no look at the data is needed.")
        return
    found: Probe | None = None
    note, seconds = "", 0.0
    try:
        for step in decoded(experiment, folder, table, splits):
            if isinstance(step, Dataset):
                facts = replace(facts, long=long_inputs(step, facts))
                start = time.perf_counter()
                for part in _looked(experiment, step):
                    if isinstance(part, Probe):
                        found = part
                    else:
                        yield part
                seconds = time.perf_counter() - start
            else:
                yield step
    except UserError as error:
        note = error.message
    yield replace(_advice(facts, found, note=note), seconds=seconds)


def _looked(experiment: Experiment, dataset: Dataset) -> Iterator[Progress | Probe]:
    sample: Sample | None = None
    for step in drawn(experiment, dataset):
        if isinstance(step, Sample):
            sample = step
        else:
            yield step
    if sample is None:
        return
    inputs = len(sample.blocks)
    pairs = inputs * (inputs - 1) // 2
    total = 2 * inputs + pairs + 2
    steps = probe(sample.target, sample.question, sample.blocks, sample.groups,
                  experiment.training.seed)
    for done, part in enumerate(steps):
        yield part if isinstance(part, Probe) else Progress(part, min(done, total), total)


def _advice(facts: Facts, found: Probe | None, *, note: str) -> Advice:
    rule = rule_for(facts, found)
    fusion = rule.fusion(len(facts.inputs), FUSIONS.names())
    title = FUSIONS.get(fusion).title
    findings = () if found is None else findings_of(found)
    return Advice(fusion, title, rule.because(facts, found), rule.name, rule.source, facts, found,
                  findings, note)
