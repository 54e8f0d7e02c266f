"""Ray for the time of a block: the cluster that is there, or one on this machine."""

import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rlld_gym.errors import InputError


@contextmanager
def ray_session(cores: int, needed_by: str) -> Iterator[Any]:
    """Offer the module ``ray``, joined to a cluster.

    A session that the program has begun is used and left alone; else the cluster of RAY_ADDRESS is joined, or Ray
    starts on this machine and ends with the block. What the program finds on its path, workers find, too.

    Args:
        cores: that Ray offers where it starts here.
        needed_by: the option that asks for Ray, for the message.

    Raises:
        InputError: Ray is not installed.
    """
    try:
        ray: Any = importlib.import_module("ray")
    except ImportError as error:
        raise InputError(f'{needed_by}: needs ray; install it: pip install "rlld-gym[ray]"') from error
    started = not ray.is_initialized()
    if started:
        paths = os.pathsep.join(filter(None, (str(Path.cwd()), os.environ.get("PYTHONPATH"))))
        local = {} if "RAY_ADDRESS" in os.environ else {"num_cpus": cores, "include_dashboard": False}
        ray.init(log_to_driver=False, runtime_env={"env_vars": {"PYTHONPATH": paths}}, **local)
    try:
        yield ray
    finally:
        if started:
            ray.shutdown()
