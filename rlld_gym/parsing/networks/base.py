"""What every task network returns and offers, and the registry that finds one by name."""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, Final, NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from rlld_gym.errors import InputError
from rlld_gym.plugins import Group, from_home, is_plugin, load_plugin, plugin_names

GROUP: Final[Group] = "rlld.task_networks"
"""Entry points of other packages' task networks."""


class ParsingOutput(NamedTuple):
    """Probabilities of a batch of B videos with T segments and C classes.

    Attributes:
        video: (B, C), pooled over time and both modalities. Attentive multimodal pooling lies in (0, 2),
            which is why losses clamp it.
        audio: (B, C), audio segments pooled over time, in (0, 1).
        visual: (B, C), visual segments pooled over time, in (0, 1).
        segment: (B, T, 2, C), every segment; modality 0 is audio, 1 is visual, in (0, 1).
    """

    video: Tensor
    audio: Tensor
    visual: Tensor
    segment: Tensor


_STREAMS = ("(audio)", "(visual 2D)", "(visual 3D)")


class TaskNetwork(nn.Module, ABC):
    """A parser that is trained on (revised) weak labels: an encoder of both modalities and a pooling head.

    The two halves are separate so that a contrastive loss can use the encoded sequences without another pass.

    Attributes:
        published_features: what the published system reads, for messages about features that do not fit.
        stackable: whether ``torch.func.vmap`` can run the network: it keeps no running statistics in buffers.
        separates_modalities: whether ``cross_attention=False`` really keeps each modality from the other one. A
            network that cannot do this says False, and must then not be called so.
    """

    published_features: ClassVar[str] = "VGGish (128), ResNet-152 (2048) and R(2+1)D-18 (512) features"
    stackable: ClassVar[bool] = True
    separates_modalities: ClassVar[bool] = True

    @abstractmethod
    def encode(
        self, audio: Tensor, visual_2d: Tensor, visual_3d: Tensor, cross_attention: bool = True
    ) -> tuple[Tensor, Tensor]:
        """Encode features into one sequence per modality.

        Args:
            audio: (B, T, Da) float.
            visual_2d: (B, T, D2) float, or (B, 8 T, D2): one feature per frame.
            visual_3d: (B, T, D3) float; D3 = 0 where the data have none.
            cross_attention: False lets each modality see only itself.

        Returns:
            Audio and visual sequence, (B, T, D) each.
        """

    @abstractmethod
    def head(self, audio_sequence: Tensor, visual_sequence: Tensor) -> ParsingOutput:
        """Pool two encoded sequences, (B, T, D) each, into probabilities."""

    def segment_logits(self, audio_sequence: Tensor, visual_sequence: Tensor) -> Tensor:
        """Return the log-odds of every segment's probabilities, (B, T, 2, C), of two encoded sequences.

        Networks that compute logits on the way should return these; here they are limited to what probabilities of
        1e-6 and 1 - 1e-6 have.
        """
        return torch.logit(self.head(audio_sequence, visual_sequence).segment, eps=1e-6)

    def feature_widths(self) -> tuple[int, int, int] | None:
        """Return the widths of the audio, visual 2D and visual 3D features that it reads; None: not known."""
        widths: tuple[int, int, int] | None = getattr(getattr(self, "stem", None), "widths", None)
        return widths

    def require_features(self, audio_size: int, visual_2d_size: int, visual_3d_size: int) -> None:
        """Raise InputError where features do not fit, with what the network and its published system read."""
        widths, found = self.feature_widths(), (audio_size, visual_2d_size, visual_3d_size)
        if widths is not None and widths != found:
            read, given = (
                ", ".join(f"{size} {name}" for size, name in zip(sizes, _STREAMS, strict=True))
                for sizes in (widths, found)
            )
            raise InputError(
                f"{type(self).__name__} reads features of widths {read}; found {given}. The published system reads "
                f"{self.published_features}: use a data set with these, or a network that was made for the data"
            )

    def learning_rate_factors(self) -> dict[str, float]:
        """Return factors of the recipe's learning rate for submodules that need another one, by name."""
        return {}

    def forward(
        self, audio: Tensor, visual_2d: Tensor, visual_3d: Tensor, cross_attention: bool = True
    ) -> ParsingOutput:
        """Parse a batch: ``head(*encode(...))``, with the arguments of ``encode``.

        Raises:
            InputError: features of other widths than the network reads.
        """
        self.require_features(audio.shape[-1], visual_2d.shape[-1], visual_3d.shape[-1])
        return self.head(*self.encode(audio, visual_2d, visual_3d, cross_attention))


_HERE: Final = "rlld_gym.parsing.networks"

HOMES: Final[dict[str, str]] = {
    "ave": f"{_HERE}.ave:AVE",
    "avsdn": f"{_HERE}.avsdn:AVSDN",
    "cmpae": f"{_HERE}.cmpae:CMPAE",
    "cpsp": f"{_HERE}.cpsp:CPSP",
    "cvcms": f"{_HERE}.cvcms:CVCMS",
    "dhhn": f"{_HERE}.dhhn:DHHN",
    "han": f"{_HERE}.han:HAN",
    "lsld": f"{_HERE}.lsld:LSLD",
    "mgn": f"{_HERE}.mgn:MGN",
    "mm_cse": f"{_HERE}.mm_cse:MMCSE",
    "mm_pyramid": f"{_HERE}.mm_pyramid:MMPyramid",
    "valor": f"{_HERE}.valor:VALOR",
    "valor_plus": f"{_HERE}.valor:VALORPlus",
    "valor_plus_plus": f"{_HERE}.valor:VALORPlusPlus",
}
"""This package's own task networks: "module:Class", imported when one is asked for."""

_REGISTRY: dict[str, Callable[..., TaskNetwork]] = {}

Factory = TypeVar("Factory", bound=Callable[..., TaskNetwork])


def register_network(name: str) -> Callable[[Factory], Factory]:
    """Make a task network available to ``make_network`` under ``name`` (class or function decorator).

    Args:
        name: the name that recipes and the environment's ``task_network`` option use.

    Returns:
        A decorator that returns what it decorates.

    Raises:
        ValueError: when the name is taken by another factory.
    """

    def register(factory: Factory) -> Factory:
        if name in HOMES or _REGISTRY.setdefault(name, factory) is not factory:
            raise ValueError(f"a task network named {name!r} is already registered")
        return factory

    return register


def network_names() -> tuple[str, ...]:
    """Return the registered names, sorted, then those of other installed packages' entry points."""
    return (*sorted({*HOMES, *_REGISTRY}), *plugin_names(GROUP))


def find_network(name: str) -> Callable[..., TaskNetwork]:
    """Return what builds a task network.

    Args:
        name: a registered name, e.g. "han"; "module:Class", a subclass of `TaskNetwork` in a module that is in the
            working directory or installed; or an entry point of the group "rlld.task_networks".

    Raises:
        InputError: for an unknown name, listing the known ones; where there is no such module or class, or the
            class is no task network.
    """
    if name in HOMES:
        kind: type[TaskNetwork] = from_home(HOMES[name])
        return kind
    if name in _REGISTRY:
        return _REGISTRY[name]
    if not is_plugin(name, GROUP):
        known = ", ".join(network_names())
        raise InputError(f"unknown task network {name!r}: expected one of {known}, or module:Class")
    found = load_plugin(name, "task network", GROUP)
    # Names also come from the metadata of files: nothing but a network is called because a file says so.
    if not (isinstance(found, type) and issubclass(found, TaskNetwork)):
        raise InputError(
            f"task network {name}: {found!r} is no subclass of rlld_gym.parsing.networks.TaskNetwork"
        )
    return found


def make_network(name: str, **sizes: object) -> TaskNetwork:
    """Build a task network.

    Args:
        name: as for `find_network`.
        **sizes: passed to its constructor; every network takes at least ``audio_size``, ``visual_2d_size``,
            ``visual_3d_size``, ``num_classes`` and ``hidden_size``.

    Returns:
        The network, freshly initialised from torch's global random state (see `seeded_weights`), in training mode.

    Raises:
        InputError: no such network, or its constructor does not take these arguments, or lacks methods.
    """
    factory = find_network(name)
    if name not in HOMES and name not in _REGISTRY:
        _check_plugin(name, factory, sizes)
    return factory(**sizes)


def _check_plugin(name: str, factory: Callable[..., TaskNetwork], sizes: dict[str, object]) -> None:
    missing = sorted(getattr(factory, "__abstractmethods__", ()))
    if missing:
        raise InputError(f"task network {name}: has no method {' and no '.join(missing)}")
    try:
        inspect.signature(factory).bind(**sizes)
    except TypeError as error:
        taken = ", ".join(sizes)
        raise InputError(f"task network {name}: its constructor must take {taken} ({error})") from error
