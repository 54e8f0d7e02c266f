"""Write docs/environment.md and docs/rates.md: facts of the registered environment, then its class docstring.

Run ``python docs/make_environment_page.py`` after changing a docstring; a test compares them.
"""

import inspect
from pathlib import Path
from typing import Any

import gymnasium

from rlld_gym.envs.label_denoising import LabelDenoisingEnv
from rlld_gym.envs.rates import LabelDenoisingRatesEnv

DOCS = Path(__file__).parent


def environment_page() -> str:
    """Return the page of rlld/LabelDenoising-v0 as Markdown."""
    return _page("rlld/LabelDenoising-v0", LabelDenoisingEnv)


def rates_page() -> str:
    """Return the page of rlld/LabelDenoisingRates-v0 as Markdown."""
    return _page("rlld/LabelDenoisingRates-v0", LabelDenoisingRatesEnv)


def _page(name: str, environment: type[gymnasium.Env[Any, Any]]) -> str:
    env = gymnasium.make(f"rlld_gym:{name}", disable_env_checker=True)
    table = "\n".join(
        [
            "| | |",
            "|---|---|",
            f"| Action space | `{_action(env.action_space)}` |",
            f"| Observation space (default data set) | {_observation(env.observation_space)} |",
            f'| Make | `gymnasium.make("rlld_gym:{name}")` |',
        ]
    )
    return f"# {name}\n\n{table}\n\n{inspect.getdoc(environment)}\n"


def _action(space: gymnasium.Space[Any]) -> str:
    return f"MultiBinary({space.shape})" if isinstance(space, gymnasium.spaces.MultiBinary) else str(space)


def _observation(space: gymnasium.Space[Any]) -> str:
    if not isinstance(space, gymnasium.spaces.Dict):
        return f"`{space}`"
    return "<br>".join(f"`{key}`: {type(one).__name__}{one.shape}, {one.dtype}" for key, one in space.items())


if __name__ == "__main__":
    DOCS.joinpath("environment.md").write_text(environment_page(), encoding="utf-8")
    DOCS.joinpath("rates.md").write_text(rates_page(), encoding="utf-8")
