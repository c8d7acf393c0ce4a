"""Which fusion suits which data: a short list of rules, read from the top; the first that fits.

Where a rule rests on measurements of this project, they are in its source.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from mmstudio.advice.probe import Probe
from mmstudio.advice.sample import Facts

OFTEN_MISSING = 0.2
"""An input that more than this share of the training rows lacks is often missing."""
FEW_ROWS = 1000
MANY_ROWS = 10_000
MOST_ADDED = 0.05
MOST_MENDED = 0.25
"""Inputs know nearly the same where none adds more than the first, and all together mend no more
than the second of what the best one gets wrong."""

Fits = Callable[[Facts, Probe | None], bool]


@dataclass(frozen=True)
class Rule:
    """One rule.

    Attributes:
        name: Its name, for scripts.
        fits: Whether it applies.
        two: Names of fusions for up to two inputs, the best first; the first that there is.
        more: The same for three inputs and more.
        because: The reason in plain words, as the second half of "Recommended: …, because …".
        source: What the rule rests on.
    """

    name: str
    fits: Fits
    two: tuple[str, ...]
    more: tuple[str, ...]
    because: Callable[[Facts, Probe | None], str]
    source: str

    def fusion(self, inputs: int, known: Collection[str]) -> str:
        """The first of the rule's fusions that there is; ``concat`` where there is none."""
        wanted = self.two if inputs <= 2 else self.more
        return next((name for name in wanted if name in known), "concat")


def listed(names: Collection[str]) -> str:
    """Names in a sentence: "a", "a and b", "a, b and c"."""
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def _missing(facts: Facts) -> list[str]:
    return [n for n, share in facts.present.items() if share < 1 - OFTEN_MISSING]


def _noise(probe: Probe | None) -> list[str]:
    """Inputs that know next to nothing, where another one does know something."""
    if probe is None or not any(probe.knows(n) for n in probe.alone):
        return []
    return [n for n in probe.alone if probe.is_noise(n)]


def _is_redundant(probe: Probe | None) -> bool:
    """Whether every input alone knows something, and none adds much to the others."""
    if probe is None:
        return False
    best = max(figure.value for figure in probe.alone.values())
    mended = probe.together.value - best
    return mended < max(0.01, MOST_MENDED * (1 - best)) and all(
        probe.knows(n) and probe.unique[n].high < MOST_ADDED for n in probe.alone)


def _because_joint(facts: Facts, probe: Probe | None) -> str:
    pairs = probe.joint_pairs if probe is not None else ()
    names = listed(list(dict.fromkeys(n for pair in pairs for n in pair)))
    return (f"{names} say in combination what they don't say side by side, "
            "and this method multiplies them with each other.")


def _because_usual(facts: Facts, probe: Probe | None) -> str:
    adding = [] if probe is None else [n for n in probe.unique if probe.unique[n].is_sure]
    if not adding:
        return "nothing speaks for a special method. It is quick and seldom far from the best."
    adds = "adds what the others don't know" if len(adding) == 1 else "add to each other"
    return (f"{listed(adding)} {adds}, with no sign of more in their combination. "
            "It is quick and seldom far from the best.")


RULES: tuple[Rule, ...] = (
    Rule("one_input", lambda f, p: len(f.inputs) == 1,
         ("concat",), ("concat",),
         lambda f, p: "with one input there is nothing to bring together: every method does "
                      "the same, and this is the plainest.",
         "the definition of fusion"),
    Rule("joint", lambda f, p: p is not None and p.has_joint,
         ("multiplicative", "low_rank", "tensor", "gated"),
         ("low_rank", "multiplicative", "gated"),
         _because_joint,
         "Jayakumar et al. 2020: products hold what sums can't; Liu et al. 2018 for more inputs, "
         "where the full tensor of Zadeh et al. 2017 explodes. Measured on a planted XOR "
         "(tests/benchmarks/fusion_table.py, 30 epochs, 3 seeds): every joint method 100 %, "
         "late 48 %"),
    Rule("sequences", lambda f, p: len(f.long) > 1 and f.training_rows >= MANY_ROWS,
         ("cross_attention", "bottleneck", "attention"),
         ("bottleneck", "attention", "cross_attention"),
         lambda f, p: f"{listed(f.long)} are long sequences, and {f.training_rows:,} training "
                      "rows are enough to learn which part of one belongs to which of the other.",
         "Tsai et al. 2019 (MulT); Nagrani et al. 2021 (MBT), sections 3 and 4"),
    Rule("missing", lambda f, p: bool(_missing(f)),
         ("late", "gated"), ("late", "gated"),
         lambda f, p: f"{listed(_missing(f))} "
                      f"{'is' if len(_missing(f)) == 1 else 'are'} often missing, and here every "
                      "input gives an answer of its own that needs no other.",
         "Ma et al. 2022: joint models lose most when an input is missing"),
    Rule("noise", lambda f, p: bool(_noise(p)),
         ("gated",), ("gated",),
         lambda f, p: f"{listed(_noise(p))} {'says' if len(_noise(p)) == 1 else 'say'} "
                      "almost nothing about it in a quick look, and this method learns how much "
                      "each input counts.",
         "Arevalo et al. 2017, section 5"),
    Rule("redundant", lambda f, p: _is_redundant(p),
         ("late", "mean", "sum"), ("late", "mean", "sum"),
         lambda f, p: "the inputs know nearly the same: to average their answers is enough, and "
                      "any of them may be missing later.",
         "Kittler et al. 1998, sections 3 and 5: averaging answers to the same question takes "
         "out their errors"),
    Rule("few_rows", lambda f, p: f.training_rows < FEW_ROWS,
         ("sum", "mean"), ("sum", "mean"),
         lambda f, p: f"{f.training_rows:,} training rows are few, and this method has little "
                      "to learn by heart" + ("." if p is None else
                      "; the inputs add up, with no sign of more in their combination."),
         "few parameters for few rows; Baltrušaitis et al. 2019, section 6"),
    Rule("usual", lambda f, p: True,
         ("concat",), ("concat",),
         _because_usual,
         "Ngiam et al. 2011; Baltrušaitis et al. 2019, section 6. Measured (fusion_table.py, 3 "
         "seeds): 99.2 % on written and spoken digits, where all methods lie between 98.1 and "
         "99.5, and 82.3 % on pictures with keywords, where they lie between 79.5 and 83.7"),
)


def rule_for(facts: Facts, probe: Probe | None) -> Rule:
    """The first rule that fits; the last fits always."""
    return next(rule for rule in RULES if rule.fits(facts, probe))
