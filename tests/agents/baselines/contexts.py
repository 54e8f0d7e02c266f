"""Small contexts for methods, and what every method promises."""

import random

import numpy as np
import torch

from rlld_agents.baselines import Context, Denoised, Denoiser, check_denoised
from rlld_agents.baselines.base import weak_labels
from rlld_gym.data.catalog import open_data, shared_tensors
from rlld_gym.data.tensors import SplitTensors, StoreTensors
from rlld_gym.parsing.recipes import get_recipe


def rows_of(split: SplitTensors, rows: torch.Tensor) -> SplitTensors:
    """Return some videos of a split, in the order of ``rows``."""
    return SplitTensors(
        audio=split.audio[rows],
        visual=split.visual[rows],
        labels=split.labels[rows],
        dense_audio=None if split.dense_audio is None else split.dense_audio[rows],
        dense_visual=None if split.dense_visual is None else split.dense_visual[rows],
        visual_2d_size=split.visual_2d_size,
    )


def small_context(seed: int = 0, videos: int = 96, epochs: int = 1, truth: bool = True) -> Context:
    """Return a context with some training videos of twin-tiny, chosen by the seed, and a short recipe."""
    data = shared_tensors("twin-tiny", "cpu")
    rows = torch.randperm(len(data["train"]), generator=torch.Generator().manual_seed(seed))[:videos]
    train = rows_of(data["train"], rows)
    if not truth:
        train = SplitTensors(train.audio, train.visual, train.labels, None, None, train.visual_2d_size)
    few = torch.arange(20)
    return Context(
        data=StoreTensors(
            {"train": train, "val": rows_of(data["val"], few), "test": rows_of(data["test"], few)}
        ),
        # A few steps at a full rate from the first on, for there is no time for a slow rise.
        recipe=get_recipe("compact-tiny")
        .shortened(epochs)
        .replace(batch_size=32, learning_rate=4e-3, warm_up=0.0, decay="step"),
        hidden_size=8,
        seed=seed,
        classes=open_data("twin-tiny").classes,
    )


def whole_context(seed: int = 0) -> Context:
    """Return all of twin-tiny, with a short recipe and narrow networks."""
    recipe = get_recipe("compact-tiny").shortened(2)
    data = shared_tensors("twin-tiny", "cpu")
    return Context(data, recipe, 8, seed, open_data("twin-tiny").classes, source=("twin-tiny", 0))


def random_states() -> tuple[object, ...]:
    """Return the global random states that no method may touch."""
    legacy = np.random.get_state()[1].tobytes()  # noqa: NPY002 (it is what must stay as it is)
    return random.getstate(), legacy, torch.get_rng_state().numpy().tobytes()


def same(ours: Denoised, theirs: Denoised) -> bool:
    """Return whether two results are equal, trained weights and details included."""
    if not (np.array_equal(ours.audio, theirs.audio) and np.array_equal(ours.visual, theirs.visual)):
        return False
    scores, networks = (ours.removal_score, theirs.removal_score), (ours.network, theirs.network)
    if (scores[0] is None) != (scores[1] is None) or (networks[0] is None) != (networks[1] is None):
        return False
    if scores[0] is not None and not np.array_equal(*scores):
        return False
    if networks[0] is not None and networks[1] is not None:
        weights = networks[1].state_dict()
        if not all(weight.equal(weights[name]) for name, weight in networks[0].state_dict().items()):
            return False
    return ours.details == theirs.details and ours.validation_labels == theirs.validation_labels


def assert_keeps_its_promises(method: Denoiser, context: Context) -> Denoised:
    """Run a method twice and check what all methods promise; return its result.

    It never adds a label or changes an absent one, keeps the order of videos, leaves the data and global
    random states alone, and gives equal results for equal seeds.
    """
    train = context.data["train"]
    before = [tensor.clone() for tensor in (train.audio, train.visual, train.labels)]
    states = random_states()
    denoised = method.denoise(context)
    assert random_states() == states
    check_denoised(denoised, weak_labels(context))
    for tensor, copy in zip((train.audio, train.visual, train.labels), before, strict=True):
        assert tensor.equal(copy)
    assert denoised.network is None or not denoised.network.training
    torch.rand(3)  # the second run starts from another global state
    assert same(method.denoise(context), denoised)
    return denoised
