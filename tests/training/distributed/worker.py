"""Trains the small project as one of several processes; what the tests start."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any


def main(project: Path, jobs: dict[str, dict[str, Any]], dies_at: int) -> None:
    """Print the first process's events, one line of JSON each, with the run's name.

    Args:
        project: The small project.
        jobs: Per run the changes of its experiment.
        dies_at: The step after which the second process is killed; 0 for none.
    """
    from mmstudio.errors import UserError
    from mmstudio.training.distributed.ranks import joined
    from mmstudio.training.events import StepDone
    from mmstudio.training.loop import train
    from tests.small_project import small_experiment

    try:
        with joined("cpu") as ranks:
            for run, changes in jobs.items():
                for event in train(small_experiment(changes), project / "runs" / run,
                                   folder=project, ranks=ranks):
                    if ranks.first:
                        print(json.dumps(event.to_json() | {"of": run}), flush=True)
                    elif isinstance(event, StepDone) and event.step == dies_at:
                        (project / "died").write_text(str(time.time()), encoding="utf-8")
                        os.kill(os.getpid(), signal.SIGKILL)
                ranks.wait()
    except UserError as error:
        print(f"{error.message} {error.hint}", file=sys.stderr)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]), int(sys.argv[3]))
