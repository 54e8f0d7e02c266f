"""Label denoisers of the benchmark, behind one interface; each is imported when it is made.

A new method is a frozen dataclass with the interface of :class:`Denoiser`, and one line in :data:`METHODS`. Methods
from outside need no line: they are named as "module:Class", or by an entry point of their package.
"""

import dataclasses
import importlib.util
from typing import Any, Final

from rlld_agents.baselines.base import Denoiser
from rlld_gym.errors import InputError
from rlld_gym.plugins import from_home, is_plugin, load_plugin


class Method:
    """A constructor that is found by name, with some of its options set.

    Args:
        home: "module:class", imported on the first call.
        extra: of this package, which brings a library that the method needs.
        library: the module that must be there; None: it is called like the extra.
        **preset: options that make the method; calls may override them.
    """

    def __init__(
        self, home: str, *, extra: str | None = None, library: str | None = None, **preset: Any
    ) -> None:
        self.home = home
        self.extra = extra
        self.library = library or extra
        self.preset = preset

    def load(self) -> Any:
        """Import and return the class; InputError where a library it needs is missing."""
        if self.library is not None and importlib.util.find_spec(self.library) is None:
            raise InputError(f"needs {self.library}; install it: pip install 'rlld-gym[{self.extra}]'")
        return from_home(self.home)

    def __call__(self, **options: Any) -> Denoiser:
        """Return the denoiser; InputError for an option that it does not have."""
        loaded = self.load()
        options = {**self.preset, **options}
        known = [option.name for option in dataclasses.fields(loaded) if option.init]
        for option in options:
            if option not in known:
                found = f"unknown option {option!r} of {loaded.__name__}"
                raise InputError(f"{found}; it has {', '.join(known) or 'none'}")
        denoiser: Denoiser = loaded(**options)
        return denoiser


class PluginMethod(Method):
    """A denoiser from outside, by "module:Class" or the name of an entry point."""

    def load(self) -> Any:
        """Import and return it; InputError where that cannot be done or it is no denoiser."""
        return load_plugin(self.home, "method", "rlld.denoisers", methods=("denoise",))

    def __call__(self, **options: Any) -> Denoiser:
        """Return the denoiser, which is called like a class; InputError for options that it refuses."""
        try:
            denoiser: Denoiser = self.load()(**options)
        except TypeError as error:
            raise InputError(f"method {self.home}: cannot be made ({error})") from error
        return denoiser


_HERE = "rlld_agents.baselines"

_PUBLISHED_JOMOLD: Final[dict[str, Any]] = {"estimator_confidence": 0.9, "parser_confidence": 0.9}
"""Label smoothing as published, whatever the recipe."""

_FROM_WEAK_LABELS: Final[dict[str, Method]] = {
    "weak": Method(f"{_HERE}.controls:Weak"),
    "weak+cl": Method(f"{_HERE}.controls:Weak", contrastive_weight=1.0),
    "label_smoothing": Method(f"{_HERE}.controls:LabelSmoothing"),
    "no_visual_speech": Method(f"{_HERE}.controls:NoVisualSpeech"),
    "no_visual_speech+cl": Method(f"{_HERE}.controls:NoVisualSpeech", contrastive_weight=1.0),
    "random": Method(f"{_HERE}.controls:RandomRemoval"),
    "jomold": Method(f"{_HERE}.jomold:JoMoLD"),
    "jomold+cl": Method(f"{_HERE}.jomold:JoMoLD", contrastive_weight=1.0),
    "jomold-as-published": Method(f"{_HERE}.jomold:JoMoLD", **_PUBLISHED_JOMOLD),
    "jomold-as-published+cl": Method(f"{_HERE}.jomold:JoMoLD", contrastive_weight=1.0, **_PUBLISHED_JOMOLD),
    "ma": Method(f"{_HERE}.modality_aware:ModalityAware"),
    "ma+cl": Method(f"{_HERE}.modality_aware:ModalityAware", contrastive_weight=1.0),
    "co_teaching": Method(f"{_HERE}.co_teaching:CoTeachingPlus"),
    "jocor": Method(f"{_HERE}.jocor:JoCoR"),
    "cleanlab": Method(f"{_HERE}.cleanlab:Cleanlab", extra="cleanlab"),
}

METHODS: Final[dict[str, Method]] = {
    **_FROM_WEAK_LABELS,
    "supervised": Method(f"{_HERE}.supervised:SupervisedOnValidation"),
    "paper": Method(f"{_HERE}.paper:PaperRLLD"),
    "paper+cl": Method(f"{_HERE}.paper:PaperRLLD", contrastive_weight=1.0),
    "rlld": Method(f"{_HERE}.rlld:RLLD"),
    "rlld+cl": Method(f"{_HERE}.rlld:RLLD", contrastive_weight=1.0),
    "joint": Method(f"{_HERE}.joint:Joint"),
    "joint+cl": Method(f"{_HERE}.joint:Joint", contrastive_weight=1.0),
    "imitation+rounds": Method(f"{_HERE}.imitation_rounds:ImitationInRounds"),
    "imitation+rounds+cl": Method(f"{_HERE}.imitation_rounds:ImitationInRounds", contrastive_weight=1.0),
    "imitation+rounds+label": Method(f"{_HERE}.imitation_rounds:ImitationInRounds", credit_episodes=8),
    "imitation": Method(f"{_HERE}.fine_tuned:ImitationAlone"),
    "imitation+recombined": Method(f"{_HERE}.fine_tuned:ImitationAlone", recombined=True),
    "imitation+label": Method(f"{_HERE}.fine_tuned:FineTuned"),
    "imitation+video": Method(f"{_HERE}.fine_tuned:FineTuned", advantage="video"),
    "imitation+ppo": Method(f"{_HERE}.fine_tuned:FineTunedByPPO", extra="sb3", library="stable_baselines3"),
    "imitation+scalar": Method(f"{_HERE}.fine_tuned:FineTuned", reward="paper", advantage="episode"),
    "scratch+label": Method(
        f"{_HERE}.fine_tuned:FineTuned", start="scratch", learning_rate=2e-3, kl_coefficient=0.0
    ),
    "oracle": Method(f"{_HERE}.controls:Oracle"),
    "oracle+cl": Method(f"{_HERE}.controls:Oracle", contrastive_weight=1.0),
}
"""Every method by the name that commands and tables use."""

WITHOUT_DENSE: Final = tuple(_FROM_WEAK_LABELS)
"""Methods that need no dense labels."""

_AGENT = f"{_HERE}.agents.denoiser:AgentDenoiser"

AGENTS: Final[dict[str, Method]] = {
    "agent": Method(_AGENT),
    "reinforce": Method(_AGENT, agent="reinforce"),
    "reinforce-baseline": Method(_AGENT, agent="reinforce-baseline"),
    "reinforce-parameters": Method(_AGENT, agent="reinforce-parameters"),
    "ppo": Method(_AGENT, extra="sb3", library="stable_baselines3", agent="ppo"),
    "a2c": Method(_AGENT, extra="sb3", library="stable_baselines3", agent="a2c"),
    "maskable-ppo": Method(_AGENT, extra="sb3", library="sb3_contrib", agent="maskable-ppo"),
    "trpo": Method(_AGENT, extra="sb3", library="sb3_contrib", agent="trpo"),
    "ppo-rates": Method(_AGENT, extra="sb3", library="stable_baselines3", agent="ppo-rates"),
    "sac-rates": Method(_AGENT, extra="sb3", library="stable_baselines3", agent="sac-rates"),
}
"""Agents as methods: they learn by acting. "agent" is any, by its option of that name."""


def find(name: str) -> Method:
    """Return the method or agent called ``name``, or the denoiser from outside that it names.

    Raises:
        InputError: there is none.
    """
    known = METHODS.get(name) or AGENTS.get(name)
    if known is not None:
        return known
    if is_plugin(name, "rlld.denoisers"):
        return PluginMethod(name)
    others = [method for method in [*METHODS, *AGENTS] if method not in WITHOUT_DENSE]
    raise InputError(
        f"unknown method {name!r}; choose from {', '.join(WITHOUT_DENSE)}, which need no dense labels, or from "
        f"{', '.join(others)}, which do, or name one of your own as module:Class"
    )


def make(name: str, **options: Any) -> Denoiser:
    """Return the denoiser called ``name``.

    Args:
        name: a key of :data:`METHODS` or :data:`AGENTS`, "module:Class", or an entry point "rlld.denoisers".
        **options: fields of its dataclass.

    Raises:
        InputError: no method has that name, the method no such option, or a library that it needs is missing.
    """
    return find(name)(**options)
