"""A batch script for Slurm's ``sbatch``."""

from __future__ import annotations

from mmstudio.cluster.job import PORT, PORTS, RESTARTS, ClusterJob

FILE = "train.slurm.sh"
WARNING_S = 180
"""So long before its time is over a job is asked to end: it writes its state, and can go on."""


def slurm_script(job: ClusterJob) -> str:
    """The script; submit it from the experiment's folder: ``sbatch train.slurm.sh``."""
    gpus = f"#SBATCH --gpus-per-node={job.gpus_per_node}\n" if job.gpus_per_node else ""
    torchrun = job.command([
        '--nnodes="$SLURM_NNODES"', f"--nproc-per-node={job.processes_per_node}",
        f"--max-restarts={RESTARTS}", '--rdzv-id="$SLURM_JOB_ID"', "--rdzv-backend=c10d",
        '--rdzv-endpoint="$first:$port"'])
    return f"""\
#!/bin/bash
#SBATCH --job-name={job.name}
#SBATCH --nodes={job.nodes}
#SBATCH --ntasks-per-node=1
{gpus}#SBATCH --time={job.clock}
#SBATCH --signal=TERM@{WARNING_S}
#SBATCH --output={job.name}-%j.log

# Submit it from the folder of the experiment file, which all machines must see:
#   sbatch {FILE}

set -euo pipefail
cd "${{SLURM_SUBMIT_DIR:?submit this script with sbatch}}"

# Where mmstudio is not on the path of all machines, activate its environment here:
# source .venv/bin/activate

# the processes meet at the first machine
mapfile -t machines < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
first="${{machines[0]}}"
# two jobs on one machine must not meet at the same port
port=$(({PORT} + SLURM_JOB_ID % {PORTS}))

srun --kill-on-bad-exit=1 {torchrun}
"""
