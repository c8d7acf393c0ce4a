"""What is to be trained on a cluster, whichever scheduler lends the machines."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from mmstudio.errors import UserError

RESTARTS = 3
"""How often torchrun starts a training again that died; it goes on from its last checkpoint."""
PORT = 29500
"""Where the processes meet, unless the scheduler knows a free one."""
PORTS = 2000
"""From ``PORT`` on, where jobs have one each; below those that systems give out by themselves."""
LONGEST_NAME = 60
_TIME = re.compile(r"(?:(\d{1,3})-)?(\d{1,3}):([0-5]\d)(?::([0-5]\d))?")


@dataclass(frozen=True)
class ClusterJob:
    """A training on several machines.

    Attributes:
        experiment: The experiment file's name; the job runs in its folder.
        run: The run's name.
        nodes: How many machines.
        gpus_per_node: Of each machine, one process each; 0 trains on their CPUs.
        seconds: How long it may take.
        changes: Keys of the experiment that are overridden, as ``training.epochs=3``.
    """

    experiment: str
    run: str
    nodes: int = 1
    gpus_per_node: int = 1
    seconds: int = 4 * 3600
    changes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What schedulers call it: letters, digits, dots, dashes and underlines."""
        return re.sub(r"[^A-Za-z0-9._-]+", "-", self.run)[:LONGEST_NAME].strip("-.") or "mmstudio"

    @property
    def processes_per_node(self) -> int:
        """How many processes torchrun starts on each machine."""
        return max(1, self.gpus_per_node)

    def arguments(self) -> list[str]:
        """What follows torchrun's own options: the module and its arguments.

        The dashes by themselves end torchrun's options: its parser, which knows abbreviations,
        would else take ``--run`` for one of its own.
        """
        device = [] if self.gpus_per_node else ["--device=cpu"]
        return ["-m", "--", "mmstudio", "train", f"./{self.experiment}", f"--run={self.run}",
                *device, *(f"--set={change}" for change in self.changes)]

    def command(self, options: Sequence[str], indent: str = "    ") -> str:
        """The command of torchrun for a shell, in lines.

        Args:
            options: torchrun's own, written as the shell is to read them.
            indent: Before each line but the first.
        """
        parts = ["torchrun", *options, shlex.join(self.arguments())]
        return f" \\\n{indent}".join(parts)

    @property
    def clock(self) -> str:
        """How long it may take, as ``1-06:30:00``: days, hours, minutes, seconds."""
        minutes, seconds = divmod(self.seconds, 60)
        hours, minutes = divmod(minutes, 60)
        days, hours = divmod(hours, 24)
        start = f"{days}-" if days else ""
        return f"{start}{hours:02}:{minutes:02}:{seconds:02}"


def seconds_of(time: str) -> int:
    """How long ``4:00``, ``4:00:00`` or ``1-06:00:00`` is: hours first, days before a dash.

    Raises:
        UserError: It is no such text, or no time at all.
    """
    found = _TIME.fullmatch(time.strip())
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups()) if found else (
        0, 0, 0, 0)
    total = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    if not total:
        raise UserError(f"--time {time} is not a time.",
                        "Write hours, minutes and seconds as 4:00:00, with days as 1-06:00:00.")
    return total


def check_words(job: ClusterJob) -> None:
    """Refuse what no line of a job file can hold. Raises UserError."""
    for what, text in (("The experiment file's name", job.experiment), ("--run", job.run),
                       *(("--set", change) for change in job.changes)):
        if any(ord(letter) < 32 or ord(letter) == 127 for letter in text):
            raise UserError(f"{what} {text!r} holds a line break or another control character.",
                            "Write it in one line.")
