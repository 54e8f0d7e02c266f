"""What simple and ideal ways of removing labels earn in the environment: lines to draw beside a learning curve."""

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np

from rlld_agents.labels.controls import no_visual_speech, oracle, weak
from rlld_agents.labels.revised import LabelSet
from rlld_gym.data.catalog import open_data
from rlld_gym.environment_ids import LABEL_DENOISING


def control_returns(
    data: str = "twin-small", *, data_seed: int = 0, episodes: int = 3, seed: int = 0, **arguments: Any
) -> dict[str, float]:
    """Return the mean return of an episode in which labels are removed in a fixed way.

    All environments of label denoising pay the same for the same removals (per video: the mean over the videos), so
    these are the returns to compare an agent's with in any of them.

    Args:
        data: of the environment.
        data_seed: of the environment.
        episodes: the mean is over so many; each is played with the same seeds for every control.
        seed: of the first episode; the next ones follow.
        **arguments: the other arguments of rlld/LabelDenoising-v0.

    Returns:
        By name: "keep all" (nothing is removed), "no visual Speech" (one rule; only for data that
            name a class that is hardly ever seen, whose name it has) and
        "truth" (exactly the wrong labels; only where it is known, as in twins).
    """
    store = open_data(data, data_seed)
    train = store.split("train")
    controls = {
        "keep all": weak(train),
        f"no visual {store.header.never_visible}": no_visual_speech(train, store.header.never_visible_index),
        "truth": oracle(train),
    }
    known = {name: labels for name, labels in controls.items() if labels is not None}
    returns = mean_returns(
        list(known.values()), episodes=episodes, seed=seed, data=data, data_seed=data_seed, **arguments
    )
    return dict(zip(known, returns, strict=True))


def mean_returns(
    label_sets: Sequence[LabelSet], *, episodes: int, seed: int = 0, **arguments: Any
) -> list[float]:
    """Return the mean return of an episode in which exactly the labels that a set lacks are removed, for each set.

    Args:
        label_sets: of the training videos.
        episodes: the mean is over so many; each is played with the same seeds for every set.
        seed: of the first episode; the next ones follow.
        **arguments: of rlld/LabelDenoising-v0.
    """
    env = gymnasium.make(LABEL_DENOISING, **{"observation": "indices", **arguments})
    seeds = range(seed, seed + episodes)
    returns = [float(np.mean([_episode_return(env, labels, one) for one in seeds])) for labels in label_sets]
    env.close()
    return returns


def described(returns: dict[str, float]) -> str:
    """Return the controls' returns in one line."""
    return "returns of an episode: " + ", ".join(f"{name} {value:.2f}" for name, value in returns.items())


def _episode_return(env: gymnasium.Env[Any, Any], labels: LabelSet, seed: int) -> float:
    """Play one episode in which a label is kept where it is in a set."""
    removed = ~np.stack(labels, axis=1)
    _, info = env.reset(seed=seed)
    total, over = 0.0, False
    while not over:
        _, reward, terminated, truncated, info = env.step(removed[info["indices"]].astype(np.int8))
        total += float(reward)
        over = terminated or truncated
    return total
