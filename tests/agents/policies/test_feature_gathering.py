"""A policy sees the same with indices and a store as it sees with features."""

import copy
import pickle

import numpy as np
import pytest
import torch
from gymnasium import spaces

from rlld_agents.policies.feature_gathering import FeatureGathering
from rlld_agents.policies.files import HybridAttentionPolicy
from rlld_gym.data import open_data
from rlld_gym.data.catalog import shared_tensors
from rlld_gym.envs.per_video import PerVideoVectorEnv
from rlld_gym.errors import InputError
from tests.envs.rollouts import SMALL, make


def tensors(observation, dtype=None):
    return {key: torch.from_numpy(value).to(dtype) for key, value in observation.items()}


def per_video(**arguments):
    arguments = {**SMALL, **arguments}
    return PerVideoVectorEnv(arguments.pop("batch_size"), **arguments)


@pytest.mark.parametrize("initialized_labels", [True, False])
@pytest.mark.parametrize("make_env", [make, per_video])
def test_a_policy_gives_equal_logits_in_both_modes(make_env, initialized_labels):
    options = {"initialized_labels": initialized_labels, "time_feature": True}
    features, indices = make_env(**options), make_env(observation="indices", **options)
    gather = FeatureGathering("twin-tiny")
    space = (
        gather.feature_space(indices.observation_space) if make_env is make else features.observation_space
    )
    actions = spaces.MultiBinary((4, 2, 25))
    policy = HybridAttentionPolicy.for_spaces(
        space, actions, hidden_size=8, initialized_labels=initialized_labels
    )
    expected, found = features.reset(seed=0)[0], indices.reset(seed=0)[0]
    zeros = np.zeros(features.action_space.shape, np.int8)
    for _ in range(3):
        gathered = gather(tensors(found))
        assert set(gathered) == {"audio", "visual", "progress"}
        for key, value in expected.items():
            assert torch.equal(gathered[key], torch.from_numpy(value)), key
        expected_logits = policy(*(torch.from_numpy(expected[key]) for key in ("audio", "visual")))
        assert torch.equal(policy(gathered["audio"], gathered["visual"]), expected_logits)
        expected, found = features.step(zeros)[0], indices.step(zeros)[0]


def test_libraries_send_floats_and_more_axes():
    gather = FeatureGathering("twin-tiny")
    observation = tensors(make(observation="indices").reset(seed=0)[0])
    expected = gather(observation)
    stacked = {key: torch.stack([value, value]).float() for key, value in observation.items()}
    found = gather(stacked)
    assert found["visual"].shape == (2, *expected["visual"].shape)
    assert torch.equal(found["visual"][1], expected["visual"])
    row = {key: value[2:3] for key, value in observation.items()}
    row["index"] = row["index"][:, None]  # one row of the per-video environment
    assert torch.equal(gather(row)["audio"], expected["audio"][2:3])


def test_spaces_are_those_of_the_feature_mode():
    gather = FeatureGathering("twin-tiny")
    for options in ({}, {"initialized_labels": False, "time_feature": True}):
        expected, indices = make(**options), make(observation="indices", **options)
        assert gather.feature_space(indices.observation_space) == expected.observation_space
        expected, indices = per_video(**options), per_video(observation="indices", **options)
        found = gather.feature_space(indices.single_observation_space)
        assert found == expected.single_observation_space


def test_spaces_that_are_refused():
    gather = FeatureGathering("twin-tiny")
    with pytest.raises(ValueError, match='observation="indices"'):
        gather.feature_space(make().observation_space)
    space = spaces.Dict({"index": spaces.Box(0, 9, (4,), np.int64)})
    with pytest.raises(ValueError, match="10 training videos"):
        gather.feature_space(space)
    with pytest.raises(InputError, match="twin-huge"):
        FeatureGathering("twin-huge")


def test_features_are_shared_and_never_stored():
    gather = FeatureGathering("twin-tiny")
    observation = tensors(make(observation="indices").reset(seed=0)[0])
    expected = gather(observation)
    shared = shared_tensors("twin-tiny", "cpu")["train"]
    assert list(gather.parameters()) == list(gather.buffers()) == []
    assert not gather.state_dict()
    assert len(pickle.dumps(gather)) < 10_000
    for other in (copy.deepcopy(gather), pickle.loads(pickle.dumps(gather)), gather.double()):
        found = other(observation)
        assert torch.equal(found["visual"], expected["visual"])
        assert found["visual"].dtype == torch.float32
        assert other._split(torch.device("cpu")) is shared


def test_from_a_store_file(tmp_path):
    path = tmp_path / "twin.h5"
    open_data("twin-tiny").save(path)
    observation = tensors(make(observation="indices").reset(seed=0)[0])
    from_file, from_twin = FeatureGathering(path)(observation), FeatureGathering("twin-tiny")(observation)
    assert torch.equal(from_file["audio"], from_twin["audio"])


@pytest.mark.gpu
def test_on_a_gpu_the_environments_copy_is_used():
    observation = tensors(make(observation="indices", device="cuda").reset(seed=0)[0])
    gather = FeatureGathering("twin-tiny")
    expected = gather(observation)
    found = gather({key: value.cuda() for key, value in observation.items()})
    assert torch.equal(found["visual"].cpu(), expected["visual"])
    assert gather._split(torch.device("cuda:0")) is shared_tensors("twin-tiny", "cuda:0")["train"]
