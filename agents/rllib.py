"""RLlib (new API stack): a module with actor and critic, and a distribution of many bits."""

from typing import Any

import torch
from torch import Tensor
from torch.distributions import Bernoulli, Independent

from rlld_agents.policies.actor_critic import HybridAttentionActorCritic
from rlld_agents.policies.files import HybridAttentionPolicy

try:
    from ray.rllib.algorithms.algorithm import Algorithm
    from ray.rllib.core.columns import Columns
    from ray.rllib.core.distribution.torch.torch_distribution import TorchDeterministic, TorchDistribution
    from ray.rllib.core.rl_module.apis import ValueFunctionAPI
    from ray.rllib.core.rl_module.rl_module import RLModuleSpec
    from ray.rllib.core.rl_module.torch import TorchRLModule
except ImportError as error:
    raise ImportError(f'rlld_agents.rllib needs RLlib ({error}): pip install "rlld-gym[rllib]"') from error

_OF_RLLIB = frozenset(("vf_share_layers", "max_seq_len", "_disable_preprocessor_api"))
"""What RLlib adds to a module's options by itself."""


class RemovalDistribution(TorchDistribution):
    """Independent Bernoulli variables, one for each bit of an action, of any shape.

    Made with ``logits=``: (N, ...) log-odds of removing; every axis after the first belongs to one action.
    """

    _dist: Any

    def _get_torch_distribution(self, logits: Tensor) -> Any:
        return Independent(Bernoulli(logits=logits), logits.dim() - 1)

    @classmethod
    def from_logits(cls, logits: Tensor, **_: Any) -> "RemovalDistribution":
        """Return the distribution with these logits (N, ...)."""
        return cls(logits=logits)

    @staticmethod
    def required_input_dim(space: Any, **_: Any) -> int:
        """Return the number of logits that an action needs: one for each bit."""
        size = 1
        for length in space.shape:
            size *= length
        return size

    def logp(self, value: Tensor, **_: Any) -> Tensor:
        """Return log-probabilities (N,) of actions (N, ...) of any dtype."""
        return self._dist.log_prob(value.float())

    def to_deterministic(self) -> TorchDeterministic:
        """Return the most probable action; a bit whose probability is exactly 1/2 keeps its label."""
        return TorchDeterministic(loc=(self._dist.base_dist.logits > 0).float())


class HybridAttentionModule(TorchRLModule, ValueFunctionAPI):
    """The hybrid attention network of RLLD (Eq. 2-4, arXiv 2412.19563) with a critic, as an RLModule.

    For PPO on rlld/LabelDenoising-v0 as it is, and on one video of rlld/LabelDenoisingPerVideo-v0. Its
    ``model_config`` has the options of `HybridAttentionActorCritic.for_spaces`; see `module_spec`.
    """

    model: HybridAttentionActorCritic

    def setup(self) -> None:
        """Make the network for the module's spaces.

        Raises:
            ValueError: other spaces, or indices without ``data``.
        """
        options = {name: value for name, value in self.model_config.items() if name not in _OF_RLLIB}
        self.model = HybridAttentionActorCritic.for_spaces(
            self.observation_space, self.action_space, **options
        )
        self.action_dist_cls = RemovalDistribution

    def _forward(self, batch: dict[str, Any], **_: Any) -> dict[str, Tensor]:
        logits, _values = self.model(batch[Columns.OBS])
        return {Columns.ACTION_DIST_INPUTS: logits}

    def _forward_train(self, batch: dict[str, Any], **_: Any) -> dict[str, Tensor]:
        # The loss asks for the values next: handing them over saves it a second pass through the shared network.
        logits, values = self.model(batch[Columns.OBS])
        return {Columns.ACTION_DIST_INPUTS: logits, Columns.EMBEDDINGS: values}

    def compute_values(self, batch: dict[str, Any], embeddings: Tensor | None = None) -> Tensor:
        """Return values (N,) float32.

        Args:
            batch: has observations.
            embeddings: the values, where the training pass has computed them.
        """
        values: Tensor = self.model(batch[Columns.OBS])[1] if embeddings is None else embeddings
        return values


def module_spec(**options: Any) -> RLModuleSpec:
    """Return what ``AlgorithmConfig.rl_module(rl_module_spec=...)`` takes.

    Args:
        **options: of `HybridAttentionActorCritic.for_spaces`: ``data`` (needed with index observations), ``seed``,
            ``hidden_size``, ``initial_removal``, ...
    """
    return RLModuleSpec(module_class=HybridAttentionModule, model_config=options)


def policy_of(algorithm: Algorithm) -> HybridAttentionPolicy:
    """Return the policy that an algorithm has learned, for `rlld_agents.denoise` and `rlld_agents.save_policy`.

    Raises:
        TypeError: the algorithm has another module.
    """
    module = algorithm.get_module()
    if not isinstance(module, HybridAttentionModule):
        raise TypeError(f"expected an algorithm with a HybridAttentionModule, found {type(module).__name__}")
    with torch.no_grad():
        return module.model.policy
