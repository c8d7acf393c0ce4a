"""Trains the small project as one of several processes; what the tests start."""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main(project: Path, run: str, changes: str, resume: str) -> None:
    """Print the first process's events, one line of JSON each."""
    import torch

    torch.set_num_threads(1)
    from mmstudio.training.distributed.ranks import joined
    from mmstudio.training.loop import train
    from tests.small_project import small_experiment

    experiment = small_experiment(json.loads(changes))
    with joined("cpu") as ranks:
        for event in train(experiment, project / "runs" / run, folder=project,
                           resume=bool(resume), ranks=ranks):
            if ranks.first:
                print(json.dumps(event.to_json()), flush=True)
        ranks.wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
