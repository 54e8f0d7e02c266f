"""A cluster of Ray on this machine with more cores than it has, for tasks that only sleep."""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import ray
from ray.cluster_utils import Cluster

OBJECT_STORE_BYTES = 400_000_000


@contextmanager
def simulated_cluster(cores: int) -> Iterator[None]:
    """Start and join a cluster with so many logical cores; it ends with the block."""
    warnings.filterwarnings("ignore", module="ray")
    node = {"num_cpus": cores, "include_dashboard": False, "object_store_memory": OBJECT_STORE_BYTES}
    # Ray's workers are polite to other programs: where the machine is busy, they would not even start.
    cluster = Cluster(initialize_head=True, head_node_args=node | {"_system_config": {"worker_niceness": 0}})
    paths = {"env_vars": {"PYTHONPATH": os.environ.get("PYTHONPATH", "")}}
    ray.init(address=cluster.address, log_to_driver=False, logging_level="error", runtime_env=paths)
    try:
        yield
    finally:
        ray.shutdown()
        cluster.shutdown()
