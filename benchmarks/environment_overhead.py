"""What the environment adds to the training of its task network.

python benchmarks/environment_overhead.py                                      # twin-small, 64 wide
python benchmarks/environment_overhead.py --data twin-full --hidden-size 512   # LLP's sizes

Timed in turns on the same state, in changing order, with two networks of equal sizes; medians are shown:

bare step          `rlld_gym.parsing.training.train_step` on the state's features and labels, which are there
bare step, batch   the same after gathering the features as float32 and drawing dropout from a seeded state, as
                   every training loop with these data must (the environment gathers those of its next state)
step               `env.step` of `gymnasium.make`, with index and with feature observations: the same training step,
                   and revision of labels, rewards, info, next state and observation
step, no checker   the same with ``disable_env_checker=True``

A reset builds a new network and draws the first batch. The last step of an episode also validates: it is timed by
itself, as its share of the whole episode.
"""

import argparse
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import gymnasium
import torch

from rlld_agents.reports.results import markdown
from rlld_gym.data.catalog import open_data, shared_tensors
from rlld_gym.parsing.prediction import evaluate
from rlld_gym.parsing.randomness import seeded_random_state
from rlld_gym.parsing.recipes import get_recipe
from rlld_gym.parsing.targets import training_targets
from rlld_gym.parsing.training import feature_sizes, make_optimizer, make_task_network, train_step

ENVIRONMENT = "rlld_gym:rlld/LabelDenoising-v0"
VARIANTS: dict[str, dict[str, Any]] = {
    "step, indices": {"observation": "indices"},
    "step, indices, no checker": {"observation": "indices", "disable_env_checker": True},
    "step, features": {"observation": "features"},
    "step, features, no checker": {"observation": "features", "disable_env_checker": True},
}
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
Times = dict[str, list[float]]


class BareTraining:
    """The training step alone, with a network of its own."""

    def __init__(self, data: str, hidden_size: int, recipe_name: str, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.tensors = shared_tensors(data, "cpu", 0)
        self.recipe = get_recipe(recipe_name)
        sizes = feature_sizes(self.tensors["train"])
        self.network = make_task_network(self.recipe, **sizes, hidden_size=hidden_size, seed=0)
        self.optimizer = make_optimizer(self.network, self.recipe)

    def time(self, indices: torch.Tensor) -> tuple[float, float]:
        """Return the seconds of a step without and with gathering the batch, on the labels as they are."""
        train = self.tensors["train"]
        start = self.clock()
        with seeded_random_state(0):
            batch, labels = train.batch(indices), train.labels.index_select(0, indices)
            targets = training_targets(labels, labels, labels, self.recipe)
            gathered = self.clock()
            train_step(self.network, self.optimizer, batch, targets, self.recipe)
            trained = self.clock()
        return trained - gathered, self.clock() - start

    def time_validation(self) -> float:
        """Return the seconds that the validation of an episode takes."""
        start = self.clock()
        evaluate(self.network, self.tensors["val"], self.recipe.gate)
        return self.clock() - start


def episode(env: gymnasium.Env[Any, Any], name: str, bare: BareTraining, turn: int, times: Times) -> None:
    """Play one episode that keeps every label; note the times of its steps and of bare steps on the same states."""
    start = bare.clock()
    _, info = env.reset()
    times[f"reset, {name.split(', ', 1)[1]}"].append(bare.clock() - start)
    assert env.action_space.shape is not None
    action = torch.zeros(env.action_space.shape, dtype=torch.int8).numpy()
    terminated, number = False, turn
    while not terminated:
        indices, number = torch.from_numpy(info["indices"]), number + 1
        # Who comes second finds the batch in the cache, so they change places.
        if number % 2:
            alone = bare.time(indices)
        start = bare.clock()
        _, _, terminated, _, info = env.step(action)
        elapsed = bare.clock() - start
        if not number % 2:
            alone = bare.time(indices)
        if not terminated:  # the last step also validates
            times[name].append(elapsed)
            times["bare step"].append(alone[0])
            times["bare step, batch"].append(alone[1])
            times[f"{name} / bare"].append(elapsed / alone[0])
            times[f"{name} / bare, batch"].append(elapsed / alone[1])
    times["validation"].append(bare.time_validation())


def measure(options: argparse.Namespace) -> Times:
    """Play the episodes of all variants in turns; the first turn is not counted."""
    bare = BareTraining(options.data, options.hidden_size, options.recipe, CLOCKS[options.clock])
    arguments = {"data": options.data, "hidden_size": options.hidden_size, "recipe": options.recipe}
    environments = {
        name: gymnasium.make(ENVIRONMENT, **arguments, episode_length=options.steps, **variant)
        for name, variant in VARIANTS.items()
    }
    times: Times = defaultdict(list)
    for turn in range(options.turns + 1):
        if turn == 1:
            times.clear()
        for name, env in environments.items():
            episode(env, name, bare, turn, times)
    return times


def main() -> None:
    """Measure one data set and width, and print two tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", default="twin-small")
    parser.add_argument("--hidden-size", type=int, default=64)
    parser.add_argument("--recipe", help="of the task network; the data set's own by default")
    parser.add_argument("--steps", type=int, default=12, help="steps of an episode")
    parser.add_argument("--turns", type=int, default=5, help="episodes of each variant")
    parser.add_argument("--clock", choices=tuple(CLOCKS), default="wall", help='"cpu" on a shared machine')
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    options.recipe = options.recipe or open_data(options.data).header.recommended.recipe
    times = measure(options)
    medians = {name: statistics.median(values) for name, values in times.items()}
    print(f"{options.data}, {options.hidden_size} wide, 128 videos a batch, {options.threads} thread(s)\n")
    rows = [
        [
            name,
            f"{1000 * medians[name]:.2f}",
            *(f"{medians[f'{name} / {other}']:.3f}" for other in ("bare", "bare, batch") if name in VARIANTS),
            *([] if name in VARIANTS else ["", ""]),
        ]
        for name in ("bare step", "bare step, batch", *VARIANTS)
    ]
    print(markdown(["", "ms", "ratio to bare step", "ratio to bare step, batch"], rows), end="\n\n")
    step = medians["step, indices"]
    episode_seconds = 32 * step + medians["reset, indices"] + medians["validation"]
    rows = [[name, f"{1000 * medians[name]:.1f}"] for name in medians if name.startswith("reset")]
    rows.append(["validation of all videos", f"{1000 * medians['validation']:.1f}"])
    rows.append(
        ["its share of an episode of 32 steps", f"{100 * medians['validation'] / episode_seconds:.1f} %"]
    )
    print(markdown(["", "ms"], rows))


if __name__ == "__main__":
    main()
