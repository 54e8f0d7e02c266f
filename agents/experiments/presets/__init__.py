"""How the main experiment trains its policy, a file for each way."""

from collections.abc import Callable, Mapping

from rlld_agents.experiments.config import ExperimentConfig
from rlld_agents.experiments.presets.base import Learned, Preset
from rlld_agents.experiments.presets.imitation import ImitationPreset
from rlld_agents.experiments.presets.joint import JointPreset
from rlld_agents.experiments.presets.paper import PaperPreset
from rlld_agents.experiments.presets.reward_only import RewardOnlyPreset
from rlld_agents.runs.setting import Setting

__all__ = ["Learned", "Preset", "make_preset"]

_PRESETS: Mapping[str, Callable[[ExperimentConfig, Setting], Preset]] = {
    "rlld": RewardOnlyPreset,
    "joint": JointPreset,
    "imitation": ImitationPreset,
    "paper": PaperPreset,
}


def make_preset(config: ExperimentConfig, setting: Setting) -> Preset:
    """Return the preset that the options name; they must name one.

    Raises:
        InputError: the options or the data do not fit it.
    """
    assert config.preset is not None
    return _PRESETS[config.preset](config, setting)
