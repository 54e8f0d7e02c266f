"""The synthetic twin of LLP: a feature store with LLP's label statistics and known modality labels everywhere.

LLP's features cannot be shipped. The twin draws videos with LLP's label sets, temporal patterns and modality noise
and invents features for them, so that the whole system runs without a download and removals can be compared with
the truth. Numbers measured on a twin are not LLP numbers.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rlld_gym.data.classes import CLASSES, SPLITS
from rlld_gym.data.llp.annotations import Annotations
from rlld_gym.data.split import Split
from rlld_gym.data.store.feature_store import FeatureStore
from rlld_gym.data.store.recommended import recommended_training
from rlld_gym.data.twins.departures import draw_shifted, with_dependent_noise, with_wrong_dense
from rlld_gym.data.twins.features import Lift, SharedContext, draw_latents, draw_prototypes
from rlld_gym.data.twins.labels import EventLabels, draw_events, draw_label_sets
from rlld_gym.data.twins.scales import TwinScale, twin_scale
from rlld_gym.data.twins.teachers import draw_teachers
from rlld_gym.data.twins.variants import TwinVariant, twin_name, twin_variant
from rlld_gym.errors import InputError
from rlld_gym.profiling import timed_part


class _FeatureModel:
    """The prototypes and lifts of one seed; turns events into features."""

    def __init__(self, scale: TwinScale, generator: np.random.Generator) -> None:
        self.scale = scale
        self.audio_prototypes = draw_prototypes(scale.audio, generator)
        self.visual_prototypes = draw_prototypes(scale.visual, generator)
        self.latent_2d = scale.visual.latent_size * 2 // 3
        latent_3d = scale.visual.latent_size - self.latent_2d
        noise = scale.lift_noise
        self.audio_lift = Lift.draw(scale.audio.latent_size, scale.audio_size, noise, generator)
        self.lift_2d = Lift.draw(self.latent_2d, scale.visual_2d_size, noise, generator)
        self.lift_3d = Lift.draw(latent_3d, scale.visual_3d_size, noise, generator)

    def features(
        self, events: EventLabels, generator: np.random.Generator, shared: SharedContext | None = None
    ) -> tuple[NDArray[np.float16], NDArray[np.float16]]:
        """Return audio features (N, T, Da) and visual features (N, T, D2 + D3)."""
        scale = self.scale
        latents = draw_latents(events.dense_audio, self.audio_prototypes, scale.audio, generator, shared)
        audio = self.audio_lift.apply(latents, generator)
        latents = draw_latents(events.dense_visual, self.visual_prototypes, scale.visual, generator, shared)
        visual_2d = self.lift_2d.apply(latents[..., : self.latent_2d], generator)
        visual_3d = self.lift_3d.apply(latents[..., self.latent_2d :], generator)
        return audio, np.concatenate([visual_2d, visual_3d], axis=2)


@timed_part("data")
def twin(scale: str = "small", seed: int = 0, variant: str | None = None) -> FeatureStore:
    """Make a twin of LLP in memory.

    Args:
        scale: "tiny" (tests), "small" (LLP's video counts, thin features) or "full" (LLP's video counts and
            feature sizes; about 0.6 GB).
        seed: 0 or more; the same scale, seed and variant give the same twin, bit for bit.
        variant: a key of `VARIANTS`: the assumption that the twin breaks; None: none.

    Returns:
        A store named ``twin-<scale>`` or ``twin-<scale>-<variant>``. Its training split carries the hidden truth
        (``dense_audio``, ``dense_visual``) that LLP does not have: only evaluation and the oracle control may read
        it. It also has segment-level teachers.

    Raises:
        InputError: unknown scale or variant, or negative seed.
    """
    changes = twin_variant(variant)
    parameters = _with_signal(twin_scale(scale), changes.signal)
    label_source, feature_source, videos_source, own_source = _generators(seed)
    model = _FeatureModel(parameters, feature_source)
    splits = {}
    for name, number in zip(SPLITS, parameters.videos, strict=True):
        events = draw_events(draw_label_sets(name, number, label_source), label_source)
        if changes.dependent is not None:
            events = with_dependent_noise(events, changes.dependent, own_source)
        shared = _shared_context(changes, parameters, number, own_source)
        features = model.features(events, videos_source, shared)
        if name == "val" and changes.validation is not None:
            # Only now, when everything of the validation videos has been drawn that the twin itself would have: so
            # test videos stay the same.
            events = draw_shifted(name, number, changes.validation, own_source)
            features = model.features(events, own_source)
        if name == "val" and changes.wrong_dense:
            events = with_wrong_dense(events, changes.wrong_dense, own_source)
        filenames = tuple(f"twin{name[:2]}{index:05d}_0_10" for index in range(number))
        splits[name] = _split(name, filenames, events, features, seed)
    return _store(splits, parameters, seed, "label statistics of LLP", variant)


def twin_for_annotations(
    annotations: Annotations, scale: str = "full", seed: int = 0, limit: int | None = None
) -> FeatureStore:
    """Invent features for the videos of real annotation files.

    Validation and test features follow the dense annotations; the modality labels of training videos, which LLP
    does not have, are drawn as in ``twin`` and kept as hidden truth.

    Args:
        annotations: LLP's annotations.
        scale: whose feature sizes and difficulty to use; the video counts come from the annotations.
        seed: 0 or more.
        limit: make only the first ``limit`` training videos (validation and test stay whole); None makes all.

    Returns:
        A store with the filenames and labels of the annotations.

    Raises:
        InputError: unknown scale, negative seed.
    """
    parameters = twin_scale(scale)
    label_source, feature_source, videos_source, _ = _generators(seed)
    model = _FeatureModel(parameters, feature_source)
    splits = {}
    for name in SPLITS:
        given = annotations.split(name)
        stop = limit if name == "train" else None
        labels = given.labels[:stop]
        if given.dense_audio is None or given.dense_visual is None:
            events = draw_events(labels, label_source)
        else:
            events = EventLabels(labels, given.dense_audio, given.dense_visual)
        splits[name] = _split(
            name, given.filenames[:stop], events, model.features(events, videos_source), seed
        )
    return _store(splits, parameters, seed, "real annotation files")


def _generators(seed: int) -> list[np.random.Generator]:
    """Return independent generators for labels, prototypes, videos, and what a variant changes."""
    if seed < 0:
        raise InputError(f"the seed of a twin must be 0 or more, found {seed}")
    return [np.random.default_rng(source) for source in np.random.SeedSequence(seed).spawn(4)]


def _with_signal(scale: TwinScale, signal: float) -> TwinScale:
    """Return a scale whose prototypes are ``signal`` times as strong."""
    audio, visual = (
        replace(model, strength=signal * model.strength) for model in (scale.audio, scale.visual)
    )
    return replace(scale, audio=audio, visual=visual)


def _shared_context(
    changes: TwinVariant, scale: TwinScale, num_videos: int, generator: np.random.Generator
) -> SharedContext | None:
    """Draw what the tracks of the videos share beyond the labels; None where that is nothing."""
    if not changes.context:
        return None
    size = min(scale.audio.latent_size, scale.visual.latent_size)
    return SharedContext.draw(changes.context, num_videos, size, generator)


def _split(
    name: str,
    filenames: tuple[str, ...],
    events: EventLabels,
    features: tuple[NDArray[np.float16], NDArray[np.float16]],
    seed: int,
) -> Split:
    """Return a split; training videos have teachers."""
    heard, seen = draw_teachers(events, seed) if name == "train" else (None, None)
    return Split(
        name=name,
        filenames=filenames,
        audio=features[0],
        visual=features[1],
        labels=events.labels,
        dense_audio=events.dense_audio,
        dense_visual=events.dense_visual,
        teacher_audio=heard,
        teacher_visual=seen,
    )


def _store(
    splits: Mapping[str, Split], scale: TwinScale, seed: int, annotations: str, variant: str | None = None
) -> FeatureStore:
    sources = {"generator": "rlld_gym twin", "scale": scale.name, "seed": seed, "labels": annotations}
    scale_note = {"recipe": scale.recipe, "hidden_size": scale.hidden_size}
    return FeatureStore(
        splits,
        classes=CLASSES,
        visual_2d_size=scale.visual_2d_size,
        attributes={
            "sources": sources if variant is None else sources | {"variant": variant},
            **recommended_training(len(splits["train"]), scale_note)._asdict(),
        },
        name=twin_name(scale.name, variant),
    )
