import dataclasses

import numpy as np
import pytest

from rlld_agents.baselines import check_denoised, make
from rlld_agents.baselines.base import weak_labels
from rlld_agents.baselines.fine_tuned import ImitationAlone
from rlld_agents.pretrain import ImitationConfig, WarmStartConfig
from rlld_gym.errors import InputError
from tests.agents.baselines.contexts import same, whole_context

QUICK = WarmStartConfig(folds=2, ensemble=False, imitation=ImitationConfig(epochs=1))


@pytest.mark.parametrize("name", ["imitation+label", "imitation+video", "imitation+scalar", "scratch+label"])
def test_rewards_change_what_the_warm_start_removes_and_nothing_else(name):
    here = whole_context()
    options = {} if name == "scratch+label" else {"warm_start": QUICK}
    denoised = make(name, episodes=2, learning_rate=1e-2, **options).denoise(here)
    check_denoised(denoised, weak_labels(here))
    assert same(denoised, make(name, episodes=2, learning_rate=1e-2, **options).denoise(here))
    start = ImitationAlone(warm_start=QUICK).denoise(here)
    assert denoised.removal_score is not None
    assert not np.array_equal(denoised.removal_score, start.removal_score)
    assert "reward" in denoised.validation_labels


def test_ppo_starts_from_the_warm_start():
    pytest.importorskip("stable_baselines3")
    here = whole_context()
    still = make("imitation+ppo", episodes=1, learning_rate=1e-12, warm_start=QUICK).denoise(here)
    start = ImitationAlone(warm_start=QUICK).denoise(here)
    np.testing.assert_allclose(still.removal_score, start.removal_score, atol=1e-4)


def test_the_environment_needs_a_data_set_by_name():
    with pytest.raises(InputError, match="by name or path"):
        make("scratch+label").denoise(dataclasses.replace(whole_context(), source=None))
