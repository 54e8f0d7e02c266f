"""What users pass to the per-video environment, and how they make it."""

import pickle
import re
import warnings
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import data_equivalence
from gymnasium.vector import AutoresetMode

from rlld_gym.envs.per_video import PerVideoVectorEnv
from rlld_gym.errors import InputError
from tests.envs.rollouts import SMALL
from tests.envs.video_rollouts import make_videos

ID = "rlld_gym:rlld/LabelDenoisingPerVideo-v0"


def test_make_vec_and_its_spec():
    arguments = {key: value for key, value in SMALL.items() if key != "batch_size"}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        videos = gym.make_vec(ID, num_envs=4, autoreset_mode="SameStep", **arguments)
    assert isinstance(videos.unwrapped, PerVideoVectorEnv)
    assert videos.autoreset_mode is videos.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    assert PerVideoVectorEnv.metadata == {}
    copy = gym.make_vec(EnvSpec.from_json(videos.spec.to_json()))
    assert copy.num_envs == 4
    assert data_equivalence(copy.reset(seed=1)[0], videos.reset(seed=1)[0], exact=True)
    videos.close()
    videos.close()
    with pytest.raises(InputError, match=r"make it with gymnasium\.make_vec"):
        gym.make(ID)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_envs": 4, "batch_size": 8}, "num_envs is 4 and batch_size is 8"),
        ({"num_envs": 1}, "num_envs is 1, what make_vec passes"),
        ({"num_envs": 0}, "num_envs is 0"),
        ({"num_envs": 4, "autoreset_mode": "never"}, "expected one of NextStep, SameStep, Disabled"),
        ({"num_envs": 4, "overlap": 2}, "overlap is 2"),
    ],
)
def test_arguments_that_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        PerVideoVectorEnv(data="twin-tiny", **arguments)


def test_one_video_if_it_is_meant():
    assert PerVideoVectorEnv(1, batch_size=1, data="twin-tiny").action_space.shape == (1, 50)


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        (np.zeros((4, 2, 25)), r"shape \(4, 2, 25\); expected \(4, 50\)"),
        (np.zeros(50), r"expected \(4, 50\)"),
        (np.full((4, 50), 0.5), "contains 0.5"),
        (np.full((4, 50), 2), "contains 2"),
    ],
)
def test_actions_that_are_refused(actions, message):
    videos = make_videos()
    videos.reset(seed=0)
    with pytest.raises(ValueError, match=message):
        videos.step(actions)


def test_one_seed_only():
    with pytest.raises(ValueError, match="one integer"):
        make_videos().reset(seed=[1, 2, 3, 4])


def test_rendering_and_pickle():
    videos = make_videos(render_mode="ansi")
    videos.reset(seed=0)
    frames = videos.render()
    assert len(frames) == 4
    assert frames[0].startswith("step 0 of 3")
    copy = pickle.loads(pickle.dumps(make_videos(autoreset_mode="SameStep")))
    assert copy.autoreset_mode is AutoresetMode.SAME_STEP
    assert copy.render_mode is None
    assert copy.observation_space == videos.observation_space


def test_snippets_of_the_documentation_run():
    page = (Path(__file__).parents[2] / "docs" / "per_video.md").read_text(encoding="utf-8")
    snippets = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    assert snippets
    for snippet in snippets:
        exec(compile(snippet, "docs/per_video.md", "exec"), {})
