import dataclasses
from functools import cache

import numpy as np
import pytest

from rlld_agents.baselines import Denoised, check_denoised, make
from rlld_agents.baselines.base import weak_labels
from rlld_agents.baselines.fine_tuned import ImitationAlone
from rlld_agents.imitation import ImitationConfig, WarmStartConfig
from rlld_agents.imitation.joint import JointConfig
from rlld_gym.errors import InputError
from tests.agents.baselines.contexts import same, whole_context

QUICK = WarmStartConfig(folds=2, ensemble=False, imitation=ImitationConfig(epochs=1, recombinations=0))


@cache
def start() -> Denoised:
    """Return what the warm start alone removes."""
    return ImitationAlone(warm_start=QUICK).denoise(whole_context())


@pytest.mark.long
@pytest.mark.parametrize("name", ["imitation+label", "imitation+video", "imitation+scalar", "scratch+label"])
def test_rewards_change_what_the_warm_start_removes_and_nothing_else(name):
    here = whole_context()
    options = {} if name == "scratch+label" else {"warm_start": QUICK}
    denoised = make(name, episodes=1, learning_rate=1e-2, **options).denoise(here)
    check_denoised(denoised, weak_labels(here))
    assert denoised.removal_score is not None
    assert not np.array_equal(denoised.removal_score, start().removal_score)
    assert "reward" in denoised.validation_labels
    if name == "imitation+label":
        assert same(denoised, make(name, episodes=1, learning_rate=1e-2, **options).denoise(here))


def test_recombined_videos_change_what_imitation_removes():
    here = whole_context()
    plain, recombined = (make(name, warm_start=QUICK) for name in ("imitation", "imitation+recombined"))
    assert (plain.name, recombined.name) == ("imitation", "imitation+recombined")
    scores = [method.denoise(here).removal_score for method in (plain, recombined)]
    assert not np.array_equal(*scores)


def test_credit_goes_on_with_the_rounds_of_the_joint_loop():
    here = whole_context()
    config = JointConfig(rounds=1, warm_start=QUICK)
    rewarded = make("imitation+rounds+label", config=config, credit_episodes=1).denoise(here)
    assert "as the reward" in rewarded.validation_labels
    alone = make("imitation+rounds", config=config).denoise(here)
    assert "reward" not in alone.validation_labels
    assert not np.array_equal(rewarded.removal_score, alone.removal_score)
    with pytest.raises(InputError, match="by name or path"):
        make("imitation+rounds+label").denoise(dataclasses.replace(here, source=None))
    with pytest.raises(InputError, match="credit_episodes"):
        make("imitation+rounds", credit_episodes=-1)


def test_ppo_starts_from_the_warm_start():
    pytest.importorskip("stable_baselines3")
    here = whole_context()
    still = make("imitation+ppo", episodes=1, learning_rate=1e-12, warm_start=QUICK).denoise(here)
    np.testing.assert_allclose(still.removal_score, start().removal_score, atol=1e-4)


def test_ppo_refuses_parsers_that_the_papers_policy_cannot_read_before_it_trains():
    here = whole_context()
    for changed in ({"network": "valor"}, {"network_options": {"heads": 2}}):
        with pytest.raises(InputError, match=r"'imitation\+ppo': PPO goes on with the paper's policy"):
            make("imitation+ppo").denoise(dataclasses.replace(here, recipe=here.recipe.replace(**changed)))


def test_the_environment_needs_a_data_set_by_name():
    with pytest.raises(InputError, match="by name or path"):
        make("scratch+label").denoise(dataclasses.replace(whole_context(), source=None))
