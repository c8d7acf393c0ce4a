"""A task for SkyPilot's ``sky launch``."""

from __future__ import annotations

import json
import textwrap

from mmstudio.cluster.job import PORT, RESTARTS, ClusterJob

FILE = "train.sky.yaml"
LEAST_CPUS = 4


def skypilot_task(job: ClusterJob, accelerator: str = "A100") -> str:
    """The task; launch it from the experiment's folder: ``sky launch train.sky.yaml``.

    Args:
        job: What is trained.
        accelerator: The kind of GPU, as ``sky show-gpus`` names it.
    """
    # of several machines each has a copy of runs/ of its own: where one of them is replaced or the
    # numbers change, the checkpoint lies on another one, and a new start would begin anew
    restarts = RESTARTS if job.nodes == 1 else 0
    torchrun = job.command([
        '--nnodes="$SKYPILOT_NUM_NODES"', f"--nproc-per-node={job.processes_per_node}",
        f"--max-restarts={restarts}", '--node-rank="$SKYPILOT_NODE_RANK"',
        '--master-addr="$first"', f"--master-port={PORT}"])
    resources = (f"accelerators: {json.dumps(f'{accelerator}:{job.gpus_per_node}')}"
                 if job.gpus_per_node else f'cpus: "{LEAST_CPUS}+"')
    run = textwrap.indent(f"""\
set -eu
# the processes meet at the first machine
first="$(echo "$SKYPILOT_NODE_IPS" | head -n 1)"
timeout --signal=TERM --kill-after=180 {job.seconds} {torchrun}
""", "  ")
    return f"""\
# Launch it from the folder of the experiment file, which is copied to all machines:
#   sky launch -c {job.name.lower()} {FILE}
# The run lies on the first machine then:
#   rsync -r {job.name.lower()}:sky_workdir/runs/ runs/
name: {json.dumps(job.name)}
workdir: .
num_nodes: {job.nodes}
resources:
  {resources}
setup: |
  pip install mmstudio
run: |
{run}"""
