"""A program for Ray's ``ray job submit``: one torchrun on each machine."""

from __future__ import annotations

from mmstudio.cluster.job import RESTARTS, ClusterJob

FILE = "train_on_ray.py"


def ray_program(job: ClusterJob) -> str:
    """The program, which needs Ray alone; its argument is the project's folder on the machines."""
    return f'''\
"""Train {job.name} on a Ray cluster: one torchrun on each machine.

Submit it with the project's folder, as all machines see it:

    ray job submit --working-dir . -- python {FILE} PROJECT_FOLDER
"""

import socket
import subprocess
import sys

import ray
from ray.util.placement_group import placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

NODES, GPUS_PER_NODE = {job.nodes}, {job.gpus_per_node}
PROCESSES_PER_NODE = {job.processes_per_node}
SECONDS = {job.seconds}
ARGUMENTS = {job.arguments()!r}


@ray.remote
def meeting_place():
    """An address of the first machine at which all processes can meet."""
    with socket.socket() as free:
        free.bind(("", 0))
        return ray.util.get_node_ip_address(), free.getsockname()[1]


@ray.remote(max_retries=0)
def machine(rank, address, port, folder):
    """Run torchrun on one machine; its exit status."""
    process = subprocess.Popen([
        sys.executable, "-m", "torch.distributed.run", f"--nnodes={{NODES}}",
        f"--nproc-per-node={{PROCESSES_PER_NODE}}", "--max-restarts={RESTARTS}",
        f"--node-rank={{rank}}", f"--master-addr={{address}}", f"--master-port={{port}}",
        *ARGUMENTS], cwd=folder)
    try:
        return process.wait(SECONDS)
    except subprocess.TimeoutExpired:
        process.terminate()  # it writes its state and can go on
        return process.wait()


def main(folder):
    """Take all machines at once, then start them together."""
    ray.init()
    wanted = {{"CPU": 1, "GPU": GPUS_PER_NODE}} if GPUS_PER_NODE else {{"CPU": 1}}
    group = placement_group([wanted] * NODES, strategy="STRICT_SPREAD")
    ray.get(group.ready())

    def on(rank, gpus=0):
        return {{"num_cpus": 1, "num_gpus": gpus,
                "scheduling_strategy": PlacementGroupSchedulingStrategy(
                    placement_group=group, placement_group_bundle_index=rank)}}

    address, port = ray.get(meeting_place.options(**on(0)).remote())
    return max(map(abs, ray.get([
        machine.options(**on(rank, GPUS_PER_NODE)).remote(rank, address, port, folder)
        for rank in range(NODES)])))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("Give the project's folder, as all machines see it.")
    sys.exit(min(main(sys.argv[1]), 255))
'''
