"""Running cells side by side with Ray Tune, on one machine or on a cluster with a shared folder."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rlld_gym.errors import InputError

from .backends import Advance, error_path, run_or_explain
from .cell import Cell
from .config import CompareConfig


def run_with_ray(
    config: CompareConfig, cells: Sequence[Cell], folder: Path, workers: int, advance: Advance
) -> list[Cell]:
    """Run cells as trials of Ray Tune, ``workers`` at a time; arguments and result as `run_in_processes`.

    A cluster that is running is used if RAY_ADDRESS names it; else Ray starts on this machine. The comparison's
    folder must be one that all machines see.

    Raises:
        InputError: Ray is not installed.
    """
    try:
        import ray  # noqa: PLC0415
        from ray import tune  # noqa: PLC0415
    except ImportError as error:
        raise InputError(
            f'--backend ray: needs {error.name}; install it: pip install "rlld-gym[rllib]"'
        ) from error
    shared = folder.resolve()
    if Path(config.data).exists():
        config = replace(config, data=str(Path(config.data).resolve()))

    def trial(parameters: dict[str, Any]) -> None:
        cell = Cell(**parameters["cell"])
        run_or_explain(config, cell, shared, lambda share: tune.report({"share": share}))
        tune.report({"share": 1.0})

    class Bar(tune.Callback):
        """Adds up the trials' shares."""

        def __init__(self) -> None:
            self.shares: dict[str, float] = {}

        def on_trial_result(
            self, iteration: int, trials: list[Any], trial: Any, result: Any, **_: Any
        ) -> None:
            self.shares[trial.trial_id] = float(result.get("share", 0.0))
            advance(sum(self.shares.values()))

    local: dict[str, Any] = {"num_cpus": workers, "include_dashboard": False}
    paths = os.pathsep.join(filter(None, (str(Path.cwd()), os.environ.get("PYTHONPATH"))))
    started = not ray.is_initialized()
    if started:
        ray.init(
            log_to_driver=False,
            runtime_env={"env_vars": {"PYTHONPATH": paths}},  # agents of one's own are found as they are here
            **({} if "RAY_ADDRESS" in os.environ else local),
        )
    try:
        tune.Tuner(
            tune.with_resources(trial, {"cpu": 1}),
            param_space={
                "cell": tune.grid_search([{"name": cell.name, "seed": cell.seed} for cell in cells])
            },
            tune_config=tune.TuneConfig(max_concurrent_trials=workers),
            run_config=tune.RunConfig(name="ray", storage_path=str(shared), callbacks=[Bar()], verbose=0),
        ).fit()
    finally:
        if started:
            ray.shutdown()
    return [cell for cell in cells if error_path(shared, cell).exists()]
