"""Where a network's weights come from: its publisher, a file, or chance."""

import hashlib
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeVar

import torch
from torch import Tensor, nn

from rlld_gym.errors import InputError
from rlld_gym.os_errors import one_line

PRETRAINED: Final = "pretrained"
"""Fetched once from where they are published, and kept in the library's cache."""
RANDOM: Final = "random"
"""For trials and tests of everything but the meaning of the features; the same in every process."""
_SEED: Final = 0

M = TypeVar("M", bound=nn.Module)


def parse_weights(words: Sequence[str], streams: Sequence[str]) -> dict[str, str]:
    """Return stream -> source from words: "pretrained" or "random" for all, or STREAM=FILE.

    Raises:
        InputError: a word that is neither, or that names a stream that is not extracted.
    """
    chosen = dict.fromkeys(streams, PRETRAINED)
    for word in words:
        stream, named, source = word.partition("=")
        if word in (PRETRAINED, RANDOM):
            chosen = dict.fromkeys(streams, word)
        elif not named or not source:
            raise InputError(
                f"--weights {word}: expected {PRETRAINED}, {RANDOM}, or STREAM=FILE with one of "
                f"{', '.join(streams)}"
            )
        elif stream not in chosen:
            raise InputError(f"--weights {word}: {stream!r} is none of the streams {', '.join(streams)}")
        else:
            chosen[stream] = source
    return chosen


def identity(source: str, published: str) -> str:
    """Return what stands for weights in a feature folder.

    Args:
        source: "pretrained", "random", a file, a folder of transformers, or a model's name.
        published: where the pretrained ones are.

    Returns:
        Of a file, its name and checksum; of a folder, its name and the checksum of its weights and settings; of
        pretrained ones, where they are; else the source's own name.
    """
    path = Path(source)
    if source == PRETRAINED:
        return published
    if source == RANDOM or not path.exists():
        return source
    digest = hashlib.sha256()
    if path.is_file():
        return f"{path.name} {_file_digest(path)[:16]}"
    for file in sorted([*path.glob("*.safetensors"), *path.glob("*config.json")]):
        digest.update(f"{file.name} {_file_digest(file)}\n".encode())
    return f"{path.resolve().name} {digest.hexdigest()[:16]}"


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def made_at_random(make: Callable[[], M]) -> M:
    """Return a network with its initial weights, always the same; torch's random state stays as it is."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        return make()


def made_with(make: Callable[[], M], stream: str, source: str, url: str, without: tuple[str, ...] = ()) -> M:
    """Return a network with the weights of a source, "random" among them; other arguments as `load_weights`.

    Raises:
        InputError: the weights cannot be fetched or read, or are those of another network.
    """
    network = made_at_random(make)
    if source != RANDOM:
        load_weights(network, stream, source, url, without)
    return network


def load_weights(
    network: nn.Module, stream: str, source: str, url: str, without: tuple[str, ...] = ()
) -> None:
    """Put weights into a network.

    Args:
        network: takes them.
        stream: whose network it is, for messages.
        source: "pretrained", or a file as ``torch.save`` or safetensors write it; "random" is not for here.
        url: of the pretrained ones.
        without: beginnings of the names of weights that the network does not use, such as a classifier.

    Raises:
        InputError: they cannot be fetched or read, or are those of another network.
    """
    state = _fetched(stream, url) if source == PRETRAINED else read_state(Path(source))
    kept = {name: weights for name, weights in state.items() if not name.startswith(without or ("\0",))}
    try:
        network.load_state_dict(kept)
    except RuntimeError as error:
        place = url if source == PRETRAINED else source
        raise InputError(
            f"{place}: not the weights of the network of {stream} ({one_line(error)}); expected those of {url}"
        ) from error


def _fetched(stream: str, url: str) -> dict[str, Tensor]:
    try:
        state: dict[str, Tensor] = torch.hub.load_state_dict_from_url(
            url, map_location="cpu", progress=False, check_hash=True, weights_only=True
        )
    except (OSError, RuntimeError, pickle.UnpicklingError) as error:
        raise InputError(
            f"the weights of {stream} could not be fetched from {url} ({one_line(error)}); fetch the file on a "
            f"machine with internet and name it: --weights {stream}=FILE; or try without: --weights random"
        ) from error
    return state


def read_state(path: Path) -> dict[str, Tensor]:
    """Return the named tensors of a file, without running any code of it.

    Raises:
        InputError: there is no such file, or it holds something else.
    """
    expected = "expected named tensors, in a file that torch.save or safetensors wrote"
    if not path.is_file():
        raise InputError(f"{path}: no such file; {expected}")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file  # noqa: PLC0415 (only where it is asked for)

            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever is wrong with the bytes
        raise InputError(f"{path}: cannot be read ({one_line(error)}); {expected}") from error
    if not isinstance(state, dict) or not all(isinstance(tensor, Tensor) for tensor in state.values()):
        raise InputError(f"{path}: holds something else; {expected}")
    return dict(state)
