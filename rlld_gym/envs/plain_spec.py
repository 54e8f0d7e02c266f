"""An environment's spec whose arguments are plain values: it can be written as JSON, whatever `make` was given."""

import copy
from typing import Any

from gymnasium.envs.registration import EnvSpec

from rlld_gym.options import plain


class PlainSpec:
    """Mixed into an environment before `gymnasium.Env`: paths and numpy's numbers in its spec become plain."""

    _spec: EnvSpec | None = None

    @property
    def spec(self) -> EnvSpec | None:
        """What made the environment; None where it was not made by `gymnasium.make`."""
        return self._spec

    @spec.setter
    def spec(self, spec: EnvSpec | None) -> None:
        if spec is not None:
            spec = copy.deepcopy(spec)
            spec.kwargs = {name: _plain(value) for name, value in spec.kwargs.items()}
        self._spec = spec


def _plain(value: Any) -> Any:
    return {key: plain(entry) for key, entry in value.items()} if isinstance(value, dict) else plain(value)
