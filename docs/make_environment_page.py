"""Write docs/environment.md from the registered environment: a table of facts, then the class docstring.

Run ``python docs/make_environment_page.py`` after changing the docstring; a test compares the two.
"""

import inspect
from pathlib import Path

import gymnasium

from rlld_gym.envs.label_denoising import LabelDenoisingEnv

PAGE = Path(__file__).with_name("environment.md")


def environment_page() -> str:
    """Return the page as Markdown."""
    env = gymnasium.make("rlld_gym:rlld/LabelDenoising-v0", disable_env_checker=True)
    assert isinstance(env.observation_space, gymnasium.spaces.Dict)
    observations = "<br>".join(
        f"`{key}`: {type(space).__name__}{space.shape}, {space.dtype}"
        for key, space in env.observation_space.items()
    )
    assert isinstance(env.action_space, gymnasium.spaces.MultiBinary)
    table = "\n".join(
        [
            "| | |",
            "|---|---|",
            f"| Action space | `MultiBinary({env.action_space.shape})` |",
            f"| Observation space (default data set) | {observations} |",
            '| Make | `gymnasium.make("rlld_gym:rlld/LabelDenoising-v0")` |',
        ]
    )
    return f"# rlld/LabelDenoising-v0\n\n{table}\n\n{inspect.getdoc(LabelDenoisingEnv)}\n"


if __name__ == "__main__":
    PAGE.write_text(environment_page(), encoding="utf-8")
