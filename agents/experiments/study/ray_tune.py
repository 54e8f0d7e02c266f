"""Running cells side by side with Ray Tune, on one machine or on a cluster with a shared folder."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rlld_agents.experiments.study.cells import Cell, run_or_explain
from rlld_agents.runs.processes import Advance, available_cores
from rlld_gym.errors import InputError
from rlld_gym.ray_session import ray_session

try:
    import ray
    from ray import tune
except ImportError as missing:
    raise InputError(
        f'--backend ray: needs {missing.name}; install it: pip install "rlld-gym[ray]"'
    ) from missing


class Shares(tune.Callback):
    """Adds up the shares that the trials report.

    Args:
        advance: called with the number of cells that are done; running ones count in part.
    """

    def __init__(self, advance: Advance) -> None:
        self.advance = advance
        self.shares: dict[str, float] = {}

    def on_trial_result(self, iteration: int, trials: list[Any], trial: Any, result: Any, **_: Any) -> None:
        """Take a trial's report."""
        self.shares[trial.trial_id] = float(result.get("share", 0.0))
        self.advance(sum(self.shares.values()))

    def __getstate__(self) -> dict[str, Any]:
        """Leave the progress bar out when Ray stores the experiment."""
        return {"shares": self.shares}


def run_with_ray(cells: Sequence[Cell], folder: Path, workers: int, advance: Advance) -> None:
    """Run cells as trials of Ray Tune, ``workers`` at a time; arguments as `run_in_processes`.

    A cluster that is running is used if RAY_ADDRESS names it; else Ray starts on this machine. The study's folder,
    the working directory and data files must be where all machines see them.
    """
    shared, here = folder.resolve(), Path.cwd()

    def trial(parameters: dict[str, Any]) -> None:
        os.chdir(here)  # Ray starts trials elsewhere; relative paths of data files are meant from here
        run_or_explain(cells[parameters["cell"]], shared, lambda share: tune.report({"share": share}))
        tune.report({"share": 1.0})

    with ray_session(max(workers, available_cores()), "--backend ray"):
        cores = max(1, int(ray.cluster_resources().get("CPU", 1)) // workers)  # also the threads of a trial
        tune.Tuner(
            tune.with_resources(trial, {"cpu": cores}),
            param_space={"cell": tune.grid_search(list(range(len(cells))))},
            tune_config=tune.TuneConfig(max_concurrent_trials=workers),
            run_config=tune.RunConfig(
                name="ray", storage_path=str(shared), callbacks=[Shares(advance)], verbose=0
            ),
        ).fit()
