"""Write docs/environment.md and docs/rates.md: which form to take, facts of the environment, its class docstring.

Run ``python docs/make_environment_page.py`` after changing a docstring; a test compares them.
"""

import inspect
from pathlib import Path
from typing import Any

import gymnasium

from rlld_gym.envs.label_denoising import LabelDenoisingEnv
from rlld_gym.envs.rates import LabelDenoisingRatesEnv

DOCS = Path(__file__).parent
FORMS = """\
## Which form for which agent

| form | an action is | for | what it learns | in |
|---|---|---|---|---|
| [rates](rates.md), **start here** | a number for each class and modality, once an episode \
| any agent for continuous actions: PPO, SAC, evolution strategies \
| most of the way from keep-all to the rule "no visual Speech" \
| some 240 to 288 short episodes, [48 seconds](which_form.md#a-first-measurement) of `twin-tiny` |
| this one, exploring in the policy's parameters | a bit for each label of a batch \
| the bundled `Reinforce`: `rlld train --preset rlld` \
| labels that are better than those of the rule "no visual Speech" ([by how much](reward_only.md)) \
| 64 episodes, a minute or two |
| [per video](per_video.md), bits paid by credit [less a price](decisions.md#the-reward-from-credit) \
| 50 bits for each video \
| on-policy agents with Bernoulli heads, `gamma=0` \
| the rule "no visual Speech" ([five seeds](compare.md#what-came-out)) \
| 16 to 48 episodes, four seconds each |
| this one, bits drawn one by one | a bit for each label of a batch \
| REINFORCE as published, PPO | nothing ([why](reinforce.md)) | hundreds of episodes |

An episode of 32 steps takes about half a second on an idle core with `twin-small`, in any form.
Hyper-parameters that work, and what was measured: [which form](which_form.md). Whether an agent learns at all
shows in seconds on [planted noise](planted_noise.md).

A return says little alone: [`control_returns`](which_form.md) plays keep-all, the rule and the truth in the same
environment. [The same run twice](autoreset.md#the-same-run-twice) says what to seed.
"""


def environment_page() -> str:
    """Return the page of rlld/LabelDenoising-v0 as Markdown."""
    return _page("rlld/LabelDenoising-v0", LabelDenoisingEnv, FORMS)


def rates_page() -> str:
    """Return the page of rlld/LabelDenoisingRates-v0 as Markdown."""
    return _page("rlld/LabelDenoisingRates-v0", LabelDenoisingRatesEnv)


def _page(name: str, environment: type[gymnasium.Env[Any, Any]], before: str = "") -> str:
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
    summary, _, description = (inspect.getdoc(environment) or "").partition("\n\n")
    return (
        "\n\n".join([f"# {name}", summary, *filter(None, [before.strip()]), "## Spaces", table, description])
        + "\n"
    )


def _action(space: gymnasium.Space[Any]) -> str:
    return f"MultiBinary({space.shape})" if isinstance(space, gymnasium.spaces.MultiBinary) else str(space)


def _observation(space: gymnasium.Space[Any]) -> str:
    if not isinstance(space, gymnasium.spaces.Dict):
        return f"`{space}`"
    return "<br>".join(f"`{key}`: {type(one).__name__}{one.shape}, {one.dtype}" for key, one in space.items())


if __name__ == "__main__":
    DOCS.joinpath("environment.md").write_text(environment_page(), encoding="utf-8")
    DOCS.joinpath("rates.md").write_text(rates_page(), encoding="utf-8")
