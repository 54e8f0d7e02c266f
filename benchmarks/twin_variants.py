"""Variants of the twin, measured: how far does each break its assumption, and does it leave the others alone?

python benchmarks/twin_variants.py --scale small --seed 0

Prints a Markdown table with a row for the twin itself and for each variant:

- noise: share of the visual labels whose event is not seen, in training, validation and test videos (%);
- noise gap: mean over the visual labels of validation videos of how far the noise of their class is from that in
  training videos (points);
- class rates: mean over the classes of the larger over the smaller of the rates in validation and in test videos;
- tracks: how often a video's own visual track fits its audio track better than another video's does (%; 50: never
  mind whose), both tracks without what the dense labels explain, by a linear regression in videos that it has not
  seen;
- AUC audio, AUC visual: how well a linear regression on single segments ranks where an event is (test videos, mean
  over classes);
- wrong: share of the modality labels that the validation videos' dense labels imply wrongly (%), counted against
  the twin itself; "-" where validation videos are others;
- Speech: share of the visual Speech labels that are noise in training videos with another human sound, and in the
  others (%).
"""

import argparse

import numpy as np
from numpy.typing import NDArray

from rlld_agents.labels.removal import rank_auc
from rlld_agents.reports.results import markdown
from rlld_gym.data import CLASSES, SPEECH, FeatureStore, twin
from rlld_gym.data.split import Split
from rlld_gym.data.twins.scales import TWIN_SCALES
from rlld_gym.data.twins.variants import VARIANTS, twin_name

Floats = NDArray[np.float64]

HUMAN = [
    CLASSES.index(name)
    for name in ("Cheering", "Singing", "Baby_laughter", "Baby_cry_infant_cry", "Clapping")
]
RIDGE = 10.0


def ridge(inputs: Floats, targets: Floats) -> Floats:
    """Return the weights (D + 1, K) of a linear regression with a small penalty; the last are the intercepts."""
    padded = with_ones(inputs)
    gram = padded.T @ padded + RIDGE * np.eye(padded.shape[1])
    return np.asarray(np.linalg.solve(gram, padded.T @ targets))


def with_ones(inputs: Floats) -> Floats:
    """Append the column of the intercept."""
    return np.concatenate([inputs, np.ones((len(inputs), 1))], axis=1)


def residual(track: NDArray[np.floating], dense: NDArray[np.bool_]) -> Floats:
    """Return what dense labels do not explain of videos' mean features, (N, D)."""
    features, events = track.astype(np.float64).mean(axis=1), dense.mean(axis=1)
    return np.asarray(features - with_ones(events) @ ridge(events, features))


def relation_of_tracks(split: Split) -> float:
    """Return how often the own visual track predicts the audio track better than another's, given dense labels."""
    assert split.dense_audio is not None
    assert split.dense_visual is not None
    audio = residual(np.asarray(split.audio), split.dense_audio)
    visual = residual(np.asarray(split.visual), split.dense_visual)
    half = len(split) // 2
    predicted = with_ones(visual[half:]) @ ridge(visual[:half], audio[:half])
    own, foreign = (
        ((audio[half:] - guess) ** 2).sum(axis=1) for guess in (predicted, np.roll(predicted, 1, axis=0))
    )
    return float((own < foreign).mean())


def separability(store: FeatureStore, modality: str) -> float:
    """Return the mean over classes of the area under the curve of a linear regression, on test segments."""
    train, test = store.split("train"), store.split("test")
    inputs = [
        getattr(split, modality).astype(np.float64).reshape(-1, getattr(split, modality).shape[-1])
        for split in (train, test)
    ]
    events = [getattr(split, f"dense_{modality}").reshape(-1, len(CLASSES)) for split in (train, test)]
    scores = with_ones(inputs[1]) @ ridge(inputs[0], events[0].astype(np.float64))
    values = [rank_auc(score, there) for score, there in zip(scores.T, events[1].T, strict=True)]
    return float(np.mean([value for value in values if value is not None]))


def visual_noise(split: Split, videos: NDArray[np.bool_] | None = None, event: int | None = None) -> float:
    """Return the share of visual labels, of some videos or of a class, whose event is not seen."""
    truth = split.truth()
    assert truth is not None
    rows = slice(None) if videos is None else videos
    columns = slice(None) if event is None else [event]
    labels, seen = split.labels[rows][:, columns], truth[1][rows][:, columns]
    return float(1 - seen.sum() / labels.sum())


def noise_gap(store: FeatureStore) -> float:
    """Return how far validation noise is from training noise, class by class, weighted by validation labels."""
    train, val = store.split("train"), store.split("val")
    present = [
        event for event in range(len(CLASSES)) if train.labels[:, event].any() and val.labels[:, event].any()
    ]
    gaps = [abs(visual_noise(train, event=event) - visual_noise(val, event=event)) for event in present]
    return float(np.average(gaps, weights=val.labels[:, present].sum(axis=0)))


def class_rate_ratio(store: FeatureStore) -> float:
    """Return the mean over classes of the larger over the smaller rate in validation and test videos."""
    rates = [(split.labels.sum(axis=0) + 0.5) / len(split) for split in map(store.split, ("val", "test"))]
    return float(np.exp(np.abs(np.log(rates[0] / rates[1])).mean()))


def wrong_share(store: FeatureStore, base: FeatureStore) -> float | None:
    """Return the share of validation modality labels that differ from the twin's; None where they are others."""
    mine, theirs = store.split("val"), base.split("val")
    found, true = mine.truth(), theirs.truth()
    assert found is not None
    assert true is not None
    wrong = sum(int((a != b).sum()) for a, b in zip(found, true, strict=True))
    if wrong and not np.array_equal(mine.visual, theirs.visual):
        return None
    return wrong / (2 * int(mine.labels.sum()))


def measured(store: FeatureStore, base: FeatureStore) -> list[str]:
    """Return a row of the table."""
    train = store.split("train")
    human: NDArray[np.bool_] = np.asarray(train.labels[:, HUMAN].any(axis=1))
    wrong = wrong_share(store, base)
    return [
        " ".join(f"{100 * visual_noise(store.split(name)):.0f}" for name in ("train", "val", "test")),
        f"{100 * noise_gap(store):.0f}",
        f"{class_rate_ratio(store):.2f}",
        f"{100 * relation_of_tracks(train):.0f}",
        f"{separability(store, 'audio'):.3f}",
        f"{separability(store, 'visual'):.3f}",
        "-" if wrong is None else f"{100 * wrong:.1f}",
        f"{100 * visual_noise(train, human, SPEECH):.0f}, {100 * visual_noise(train, ~human, SPEECH):.0f}",
    ]


def main() -> None:
    """Make the twin and its variants, one at a time, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scale", choices=TWIN_SCALES, default="small")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    base = twin(options.scale, options.seed)
    names = (None, *VARIANTS)
    rows = [
        [twin_name(options.scale, name), *measured(twin(options.scale, options.seed, name), base)]
        for name in names
    ]
    head = [
        "twin",
        "noise",
        "noise gap",
        "class rates",
        "tracks",
        "AUC audio",
        "AUC visual",
        "wrong",
        "Speech",
    ]
    print(markdown(head, rows))


if __name__ == "__main__":
    main()
