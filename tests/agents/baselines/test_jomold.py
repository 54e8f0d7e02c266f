import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rlld_agents.baselines import make
from rlld_agents.baselines.base import weak_labels
from rlld_agents.baselines.jomold import JoMoLD, denoise_epoch, estimate_noise_ratios
from rlld_agents.baselines.parts.jomold_rule import NoiseRatios, jomold_removals, noise_ratios
from rlld_agents.baselines.parts.unimodal import Unimodal, pooled_probabilities
from rlld_gym.errors import InputError
from rlld_gym.parsing.networks import HAN
from rlld_gym.parsing.recipes import get_recipe
from rlld_gym.parsing.training import train_parser
from tests.agents.baselines.contexts import small_context
from tests.agents.baselines.naive_jomold import naive_epoch, naive_ratios
from tests.shared_files import shared_path


@pytest.fixture(scope="module")
def golden() -> dict[str, np.ndarray]:
    with np.load(shared_path("golden/golden_jomold.npz"), allow_pickle=False) as file:
        return dict(file)


def case(seed: int, videos: int, classes: int = 3) -> tuple[np.ndarray, ...]:
    """Return audio and visual probabilities and labels, all probabilities different."""
    generator = np.random.default_rng(seed)
    audio, visual = generator.uniform(0.001, 0.94, (2, videos, classes)).astype(np.float32)
    return audio, visual, generator.random((videos, classes)) < 0.6


def test_published_ratios_are_reproduced(golden: dict[str, np.ndarray]) -> None:
    ratios = estimate_noise_ratios(golden["prob_audio"], golden["prob_visual"], golden["labels"])
    for modality, ratio in zip(("audio", "visual"), ratios, strict=True):
        np.testing.assert_array_equal(ratio, golden[f"noise_ratio_{modality}"])


@pytest.mark.parametrize("epoch", [1, 2])
def test_published_removals_are_reproduced(golden: dict[str, np.ndarray], epoch: int) -> None:
    ratios = golden["noise_ratio_audio"], golden["noise_ratio_visual"]
    targets = denoise_epoch(golden["prob_audio"], golden["prob_visual"], golden["labels"], ratios, epoch)
    for modality, target in zip(("audio", "visual"), targets, strict=True):
        np.testing.assert_array_equal(target, golden[f"{modality}_targets_epoch{epoch}"])


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    videos=st.integers(1, 40),
    options=st.fixed_dictionaries(
        {
            "batch_size": st.integers(1, 20),
            "epoch": st.integers(1, 3),
            "warm_up_epochs": st.sampled_from([0.3, 0.9, 1.5]),
        }
    ),
    linear=st.booleans(),
)
def test_rule_equals_loops_over_videos_and_classes(
    seed: int, videos: int, options: dict[str, float], linear: bool
) -> None:
    audio, visual, labels = case(seed, videos)
    ratios = np.random.default_rng(seed).random((2, 3))
    expected = naive_epoch(audio, visual, labels, ratios, linear=linear, **options)
    warm_up = "linear" if linear else "released"
    found = denoise_epoch(audio, visual, labels, ratios, warm_up=warm_up, **options)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), videos=st.integers(1, 40), batch_size=st.integers(1, 20))
def test_ratios_equal_loops_over_videos_and_classes(seed: int, videos: int, batch_size: int) -> None:
    audio, visual, labels = case(seed, videos)
    found = estimate_noise_ratios(audio, visual, labels, batch_size=batch_size)
    np.testing.assert_array_equal(found, naive_ratios(audio, visual, labels, batch_size))


def test_tensors_in_tensors_out() -> None:
    audio, visual, labels = case(0, 30)
    tensors = [torch.from_numpy(values) for values in (audio, visual, labels)]
    ratios = estimate_noise_ratios(*tensors)
    np.testing.assert_array_equal(ratios[1].numpy(), estimate_noise_ratios(audio, visual, labels)[1])
    targets = denoise_epoch(*tensors, ratios, 2)
    expected = denoise_epoch(audio, visual, labels, [ratio.numpy() for ratio in ratios], 2)
    np.testing.assert_array_equal(targets[1].numpy(), expected[1])


def test_released_warm_up_is_a_step_and_the_intended_one_a_ramp() -> None:
    audio, visual, labels = case(1, 400)
    ratios = np.full((2, 3), 0.7)

    def removed(epoch: int, warm_up: str) -> np.ndarray:
        _, targets = denoise_epoch(audio, visual, labels, ratios, epoch, 40, 0.9, warm_up)
        return (targets == 0).reshape(10, -1).sum(1)

    assert not removed(1, "released").any()
    ramp, full = removed(1, "linear"), removed(2, "released")
    assert ramp[0] == 0
    assert 0 < ramp[3] < full[3]
    assert ramp[9] == full[9]
    np.testing.assert_array_equal(removed(2, "linear"), full)


def test_a_label_can_go_in_both_modalities() -> None:
    audio, visual, labels = case(2, 60)
    targets = denoise_epoch(audio, visual, labels, np.full((2, 3), 1.0), 2)
    assert not targets[0][labels].any()
    assert not targets[1][labels].any()


def test_shapes_are_checked() -> None:
    audio, visual, labels = case(0, 5)
    with pytest.raises(ValueError, match="one shape"):
        estimate_noise_ratios(audio[:4], visual, labels)
    with pytest.raises(ValueError, match="batch_size 0"):
        denoise_epoch(audio, visual, labels, np.ones((2, 3)), 1, batch_size=0)


@pytest.mark.parametrize(
    "options",
    [
        {"warm_up": "ramp"},
        {"audio_threshold": 0.0},
        {"visual_threshold": -1.0},
        {"estimator_confidence": 0.0},
        {"parser_confidence": 1.1},
    ],
)
def test_options_are_checked(options: dict[str, object]) -> None:
    with pytest.raises(InputError, match=next(iter(options))):
        make("jomold", **options)


@pytest.mark.parametrize(
    ("name", "recipe", "expected"),
    [
        ("jomold", "compact", (1.0, 1.0)),
        ("jomold+cl", "compact-tiny", (1.0, 1.0)),
        ("jomold", "rlld", (1.0, 1.0)),
        ("jomold", "jomold", (0.9, 0.9)),
        ("jomold-as-published", "compact", (0.9, 0.9)),
        ("jomold-as-published+cl", "compact", (0.9, 0.9)),
    ],
)
def test_smoothing_is_the_recipes_unless_as_published(
    name: str, recipe: str, expected: tuple[float, float]
) -> None:
    method, context = make(name), get_recipe(recipe)
    assert isinstance(method, JoMoLD)
    trainings = method.recipe_of_estimator(context), method.recipe_of_parser(context)
    assert tuple(training.visual_confidence for training in trainings) == expected
    assert [training.audio_weight for training in trainings] == [1.0, 2.0]


def test_estimator_and_parser_are_smoothed_independently() -> None:
    context = small_context(videos=96, epochs=1)
    plain = make("jomold").denoise(context)
    estimator = make("jomold", estimator_confidence=0.9).denoise(context)
    parser = make("jomold", parser_confidence=0.9).denoise(context)
    # In the first epoch nothing is removed, so that the parser does not depend on the estimator's ratios.
    assert estimator.details["validation"] == plain.details["validation"]
    assert estimator.details["estimator"] != plain.details["estimator"]
    assert parser.details["estimator"] == plain.details["estimator"]
    assert parser.details["validation"] != plain.details["validation"]


def test_rule_judges_by_the_targets_of_the_training() -> None:
    audio, visual, labels = (torch.from_numpy(values) for values in case(3, 60))
    thresholds = {"batch_size": 20, "audio_threshold": 0.6}
    smoothed = noise_ratios(audio, visual, labels, visual_threshold=0.95, **thresholds)
    plain = noise_ratios(audio, visual, labels, visual_threshold=1.0, visual_confidence=1.0, **thresholds)
    assert smoothed.visual.equal(plain.visual)
    assert plain.visual.any()
    # Towards 0.95 a probability of 0.99 is worse than one of 0.95; towards 1 it is better.
    sure = torch.tensor([[0.99], [0.95]])
    half = NoiseRatios(torch.tensor([0.0]), torch.tensor([0.5]))
    chosen = [
        jomold_removals(
            torch.tensor([[0.5], [0.5]]), sure, torch.ones(2, 1), half, visual_confidence=confidence
        )
        for confidence in (0.9, 1.0)
    ]
    assert chosen[0].visual.ravel().tolist() == [True, False]
    assert chosen[1].visual_share.ravel().tolist() == [1.0, 1.0]


def test_unimodal_network_does_not_see_the_other_modality() -> None:
    torch.manual_seed(0)
    network = HAN(8, 8, 4, 3, hidden_size=8).eval()
    audio, visual_2d, visual_3d = torch.randn(2, 10, 8), torch.randn(2, 10, 8), torch.randn(2, 10, 4)
    alone = Unimodal(network)(audio, visual_2d, visual_3d)
    torch.testing.assert_close(alone, network(audio, visual_2d, visual_3d, cross_attention=False))
    changed = Unimodal(network)(audio, -visual_2d, visual_3d)
    assert alone.audio.equal(changed.audio)
    assert not alone.visual.equal(changed.visual)


def test_exported_labels_are_what_the_trained_network_would_remove() -> None:
    context = small_context(videos=96, epochs=2)
    denoised = make("jomold").denoise(context)
    assert denoised.network is not None
    train, weak = context.data["train"], weak_labels(context)
    ratios = [np.array(ratio) for ratio in denoised.details["noise_ratios"].values()]
    audio, visual = pooled_probabilities(Unimodal(denoised.network), train, 32)
    targets = denoise_epoch(audio.numpy(), visual.numpy(), weak, ratios, epoch=9, batch_size=32)
    np.testing.assert_array_equal(denoised.audio, weak & (targets[0] > 0))
    np.testing.assert_array_equal(denoised.visual, weak & (targets[1] > 0))
    assert (weak & ~denoised.visual).any()
    assert denoised.removal_score is not None
    removed = np.stack((weak & ~denoised.audio, weak & ~denoised.visual), axis=1)
    np.testing.assert_array_equal(denoised.removal_score >= 0.5, removed)


def test_parser_learns_from_removals_after_the_first_epoch_only() -> None:
    context = small_context(videos=96, epochs=1)
    recipe = JoMoLD().recipe_of_parser(context.recipe)
    weak = weak_labels(context)
    plain = train_parser(context.data, weak, weak, recipe, hidden_size=8, seed=context.seed)
    released = make("jomold").denoise(context)
    ramped = make("jomold", warm_up="linear").denoise(context)
    assert released.details["validation"] == plain.history
    assert ramped.details["validation"] != plain.history
    assert ramped.details["noise_ratios"] == released.details["noise_ratios"]


def test_contrastive_loss_changes_both_trainings() -> None:
    context = small_context(videos=96, epochs=1)
    without, with_it = make("jomold").denoise(context), make("jomold+cl").denoise(context)
    for key in ("estimator", "validation"):
        assert without.details[key] != with_it.details[key]
