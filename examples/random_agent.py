"""Play the environment without learning: keep every label, or remove labels at random.

    python examples/random_agent.py

Shows the loop that any agent needs, and what the rewards look like before anything is learned.
"""

from typing import Any

import gymnasium as gym
import numpy as np


def play(env: gym.Env[Any, Any], removal: float, seed: int) -> tuple[float, dict[str, Any]]:
    """Play one episode, removing present labels with probability ``removal``; return its return and last info."""
    generator = np.random.default_rng(seed)
    _, info = env.reset(seed=seed)
    total, done = 0.0, False
    while not done:
        free = info["action_mask"] == 2  # labels that are present; other bits change nothing
        action = free & (generator.random(free.shape) < removal)
        _, reward, terminated, truncated, info = env.step(action)
        total += float(reward)
        done = terminated or truncated
    return total, info


def main() -> None:
    """Compare some removal rates on the tiny twin."""
    env = gym.make("rlld_gym:rlld/LabelDenoising-v0", data="twin-tiny", episode_length=16)
    print("removal  return  validation F after the episode (segment audio, event visual)")
    for removal in (0.0, 0.2, 0.5):
        total, info = play(env, removal, seed=0)
        print(f"{removal:7.1f}  {total:6.2f}  {info['segment_audio']:.1f} {info['event_visual']:.1f}")
    env.close()


if __name__ == "__main__":
    main()
