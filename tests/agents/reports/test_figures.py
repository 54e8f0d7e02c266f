from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from rlld_agents.labels.removal import removal_quality
from rlld_agents.reports.figures import in_table_order, plot_convergence, plot_removal, plot_scores, smoothed
from rlld_gym.data.classes import CLASSES

SCORES = [
    f"{level}_{kind}"
    for level in ("segment", "event")
    for kind in ("audio", "visual", "audio_visual", "type", "event")
]


def is_png(path: Path) -> bool:
    return path.read_bytes().startswith(b"\x89PNG") and path.stat().st_size > 10_000


def curves(generator: np.random.Generator, length: int) -> dict[str, np.ndarray]:
    rise = 8 * (1 - np.exp(-np.arange(length) / 10))
    return {name: 15 + 2 * k + rise + generator.normal(0, 1.5, length) for k, name in enumerate(SCORES)}


def test_smoothing_is_a_weighted_mean_of_the_past() -> None:
    values = np.array([3.0, 1.0, 4.0, 1.5])
    weights = 0.9 ** np.arange(4)[::-1]
    assert smoothed(values)[-1] == pytest.approx((weights * values).sum() / weights.sum())
    np.testing.assert_allclose(smoothed(values, 1.0), values)
    np.testing.assert_allclose(smoothed(np.full(5, 2.0)), 2.0)


@pytest.mark.long
def test_convergence_of_one_run_and_of_several(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    plot_convergence(
        tmp_path / "one.png", {"REINFORCE": [curves(generator, 30)]}, "REINFORCE on twin-small, seed 0"
    )
    groups = {name: [curves(generator, 60) for _ in range(5)] for name in ("RLLD", "JoMoLD")}
    plot_convergence(tmp_path / "many.png", groups)
    plot_convergence(tmp_path / "single.png", {"REINFORCE": [curves(generator, 1)]})
    assert all(is_png(tmp_path / name) for name in ("one.png", "many.png", "single.png"))
    with pytest.raises(ValueError, match="no episode"):
        plot_convergence(tmp_path / "none.png", {"REINFORCE": [curves(generator, 0)]})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["many.png", "one.png", "single.png"]


def test_bars_with_and_without_spread(tmp_path: Path) -> None:
    generator = np.random.default_rng(1)
    sets = ("oracle", "weak", "denoised", "no_visual_speech", "my labels", "random")
    rows = {
        name: [dict(zip(SCORES, generator.uniform(45, 65, 10), strict=True)) for _ in range(3)]
        for name in sets
    }
    plot_scores(tmp_path / "bars.png", rows, "Test scores, twin-small")
    plot_scores(tmp_path / "four.png", {name: rows[name][:1] for name in sets[:4]})
    assert is_png(tmp_path / "bars.png")
    assert in_table_order(sets) == ["weak", "random", "no_visual_speech", "denoised", "oracle", "my labels"]


@pytest.mark.parametrize("known", [True, False])
def test_removal_map_with_a_class_that_has_no_label(tmp_path: Path, known: bool) -> None:
    generator = np.random.default_rng(2)
    original = generator.random((400, 25)) < np.linspace(0.4, 0, 25)
    truth = (original & (generator.random((400, 25)) < 0.95), original & (generator.random((400, 25)) < 0.6))
    visual = original & (generator.random((400, 25)) < 0.7)
    quality = removal_quality(original, original, visual, truth if known else None)
    plot_removal(tmp_path / f"removal{known}.png", quality, CLASSES, "twin-small")
    assert is_png(tmp_path / f"removal{known}.png")


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("number", [1, 4, 7, pytest.param(100, marks=pytest.mark.long)])
def test_no_text_of_the_removal_map_is_cut_off(tmp_path: Path, number: int, known: bool) -> None:
    labels = np.random.default_rng(3).random((50, number)) < 0.5
    quality = removal_quality(labels, labels, labels, (labels, labels) if known else None)
    classes = [f"Wind in the trees of a park, number {index}" for index in range(number)]
    plot_removal(tmp_path / "removal.png", quality, classes, f"Removed labels ({'a-long-name-' * 5}, seed 0)")
    ink = (imread(tmp_path / "removal.png")[..., :3] < 0.9).any(axis=-1)
    edge = np.ones_like(ink)
    edge[5:-5, 5:-5] = False
    assert ink.any()
    assert not ink[edge].any(), "what is cut off reaches the edge"
