"""Random numbers that neither depend on the program's global random state nor change it.

Modules draw initial weights and dropout masks from torch's global generators. Three ways keep these apart, from the
best to the last resort; with the same seed all three give the same numbers:

- code of this package draws from `own_generator` on a CPU: other threads notice nothing, and are not noticed;
- constructors run in `seeded_weights`, which redirects whatever they draw;
- what draws in a way of its own while it trains, and all that draws on a GPU, is lent the global generators by
  `seeded_random_state`: one thread at a time, and put back afterwards.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from rlld_gym.torch_settings import own_torch_settings
from rlld_gym.turns import in_turn

_own: ContextVar[torch.Generator | None] = ContextVar("own_generator", default=None)

_DRAWING: Final = (
    nn.modules.dropout._DropoutNd,
    nn.MultiheadAttention,
    nn.RNNBase,
    nn.Transformer,
    nn.TransformerEncoderLayer,
    nn.TransformerDecoderLayer,
    nn.RReLU,
    nn.FractionalMaxPool2d,
    nn.FractionalMaxPool3d,
)
"""torch's modules that draw from the global generators in training."""

_OWN_PACKAGES: Final = ("rlld_gym.", "rlld_agents.", "torch.nn.modules.")


def own_generator(device: str | torch.device = "cpu") -> torch.Generator | None:
    """Return what code of this package draws from on a device; None: torch's global generator.

    To be passed on as ``generator=`` to every function of torch that draws.
    """
    return _own.get() if torch.device(device).type == "cpu" else None


def draws_own(*parts: object) -> bool:
    """Return whether all that parts of a training draw on a CPU comes from `own_generator`.

    Args:
        parts: networks, objectives, functions; None is passed over. Code of this package does; that of others, and
            modules of torch that have a dropout of their own, may draw from the global generators.
    """
    members = [m for part in parts for m in (part.modules() if isinstance(part, nn.Module) else (part,))]
    return all(
        member is None
        or (str(member.__module__).startswith(_OWN_PACKAGES) and not isinstance(member, _DRAWING))
        for member in members
    )


@contextmanager
def seeded_random_state(
    seed: int, device: str | torch.device = "cpu", *, own: bool = False
) -> Iterator[None]:
    """Run the body with random numbers that depend on a seed alone, and leave torch's random state as it was.

    Args:
        seed: non-negative, below 2^63.
        device: the device whose generator is seeded and restored besides the CPU's. Generators of other
            devices are not touched.
        own: all that the body draws on a CPU comes from `own_generator` (see `draws_own`): nothing is lent out
            where ``device`` is the CPU.
    """
    device = torch.device(device)
    if own and device.type == "cpu":
        token = _own.set(torch.Generator("cpu").manual_seed(seed))
        try:
            yield
        finally:
            _own.reset(token)
        return
    cuda_devices = []
    if device.type == "cuda":
        cuda_devices = [device.index if device.index is not None else torch.cuda.current_device()]
    token = _own.set(None)
    try:
        with in_turn(), torch.random.fork_rng(devices=cuda_devices):
            # torch.manual_seed would seed every GPU, and fork_rng restores only the one in use.
            torch.default_generator.manual_seed(seed)
            for index in cuda_devices:
                torch.cuda.default_generators[index].manual_seed(seed)
            yield
    finally:
        _own.reset(token)


@contextmanager
def seeded_weights(seed: int = 0) -> Iterator[None]:
    """Let modules that the body constructs, on the CPU, draw their weights from a generator of their own.

    Whatever they draw is redirected, in this thread only. Too slow for training.

    Args:
        seed: non-negative, below 2^63.
    """
    with own_torch_settings(), _Redirected(torch.Generator("cpu").manual_seed(seed)):
        yield


class _Redirected(TorchDispatchMode):
    """Gives every operation that draws on a CPU a generator."""

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._generator = generator

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Do the operation."""
        kwargs = kwargs or {}
        if torch.Tag.nondeterministic_seeded not in func.tags:
            return func(*args, **kwargs)
        drawing = _taking_generator(func)
        devices = [arg.device for arg in args if isinstance(arg, torch.Tensor)] + [
            kwargs.get("device") or "cpu"
        ]
        if drawing is None or any(torch.device(device).type != "cpu" for device in devices):
            return func(*args, **kwargs)
        return drawing(*args, **{"generator": self._generator, **_given(kwargs)})


def _given(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments without a generator that is None."""
    return {name: value for name, value in kwargs.items() if (name, value) != ("generator", None)}


def _taking_generator(func: Any) -> Any:
    """Return the form of an operation that takes a generator; None: there is none."""
    if any(argument.name == "generator" for argument in func._schema.arguments):
        return func
    overload = func._schema.overload_name
    name = f"{overload}_generator" if overload else "generator"
    return getattr(func.overloadpacket, name, None)
