from dataclasses import replace

import numpy as np
import pytest
import torch

from rlld_agents.baselines import Context, make
from rlld_agents.baselines.base import weak_labels
from rlld_gym.errors import InputError
from rlld_gym.parsing.training import train_parser
from tests.agents.baselines.contexts import small_context


def with_classes(context: Context, classes: tuple[str, ...]) -> Context:
    return Context(context.data, context.recipe, context.hidden_size, context.seed, classes)


def test_weak_labels_stay() -> None:
    context = small_context()
    denoised = make("weak").denoise(context)
    np.testing.assert_array_equal(denoised.audio, weak_labels(context))
    np.testing.assert_array_equal(denoised.visual, weak_labels(context))
    assert denoised.network is None


def test_label_smoothing_trains_towards_smoothed_visual_targets() -> None:
    context = small_context()
    denoised = make("label_smoothing").denoise(context)
    weak = weak_labels(context)
    recipe = context.recipe.replace(visual_confidence=0.9)
    expected = train_parser(context.data, weak, weak, recipe, hidden_size=8, seed=context.seed).network
    assert denoised.network is not None
    for name, weight in denoised.network.state_dict().items():
        assert weight.equal(expected.state_dict()[name])


@pytest.mark.parametrize("name", ["weak", "no_visual_speech", "oracle"])
def test_controls_with_the_contrastive_loss_train_their_parser_on_the_same_labels(name: str) -> None:
    context = small_context()
    plain, denoised = make(name).denoise(context), make(f"{name}+cl").denoise(context)
    np.testing.assert_array_equal(denoised.audio, plain.audio)
    np.testing.assert_array_equal(denoised.visual, plain.visual)
    recipe = context.recipe.replace(contrastive_weight=1.0)
    labels = plain.audio, plain.visual
    expected = train_parser(context.data, *labels, recipe, hidden_size=8, seed=context.seed).network
    assert plain.network is None
    assert denoised.network is not None
    for key, weight in denoised.network.state_dict().items():
        assert weight.equal(expected.state_dict()[key])
    assert "epoch of the parser" in denoised.validation_labels


def test_no_visual_speech_removes_one_column_wherever_it_is() -> None:
    context = small_context()
    moved = with_classes(context, (*context.classes[1:], "Speech"))
    for case, column in ((context, 0), (moved, -1)):
        weak, denoised = weak_labels(case), make("no_visual_speech").denoise(case)
        assert weak[:, column].any()
        assert not denoised.visual[:, column].any()
        np.testing.assert_array_equal(np.delete(denoised.visual, column, 1), np.delete(weak, column, 1))
        np.testing.assert_array_equal(denoised.audio, weak)


def test_the_rule_is_about_the_class_that_the_data_name() -> None:
    context = replace(small_context(), never_visible="Dog")
    column, weak = context.classes.index("Dog"), weak_labels(context)
    denoised = make("no_visual_speech").denoise(context)
    assert weak[:, column].any()
    assert not denoised.visual[:, column].any()
    np.testing.assert_array_equal(np.delete(denoised.visual, column, 1), np.delete(weak, column, 1))


def test_methods_that_the_data_do_not_allow_say_so() -> None:
    context = small_context()
    with pytest.raises(InputError, match='no class "Speech"'):
        make("no_visual_speech").denoise(with_classes(context, ("Talk", *context.classes[1:])))
    with pytest.raises(InputError, match="true labels are unknown"):
        make("oracle").denoise(small_context(truth=False))


def test_oracle_keeps_what_is_heard_and_seen() -> None:
    context = small_context()
    train, denoised = context.data["train"], make("oracle").denoise(context)
    for kept, dense in ((denoised.audio, train.dense_audio), (denoised.visual, train.dense_visual)):
        assert dense is not None
        np.testing.assert_array_equal(kept, weak_labels(context) & dense.any(1).numpy())


def test_random_removal_removes_the_share_asked_for() -> None:
    context = small_context(videos=96)
    weak = weak_labels(context)
    denoised = make("random", audio_rate=0.25, visual_rate=0.0).denoise(context)
    assert (weak & ~denoised.audio).sum() == round(0.25 * weak.sum())  # no video can lose both modalities
    np.testing.assert_array_equal(denoised.visual, weak)
    other = make("random", audio_rate=0.25, visual_rate=0.0).denoise(small_context(seed=1))
    assert (other.audio != denoised.audio).any()


def test_random_removal_never_empties_a_video() -> None:
    context = small_context(videos=96)
    denoised = make("random", audio_rate=0.9, visual_rate=0.9).denoise(context)
    weak = weak_labels(context)
    assert (denoised.audio | denoised.visual).any(1).all()
    emptied = (weak & ~denoised.audio).sum() < round(0.9 * weak.sum())
    assert emptied  # some videos got their labels back


def test_random_removal_matches_another_method_class_by_class() -> None:
    context = small_context(videos=96)
    weak, other = weak_labels(context), make("no_visual_speech").denoise(context)
    removed = weak & ~other.visual
    rates = tuple(removed.sum(axis=0) / np.maximum(weak.sum(axis=0), 1))
    per_class = make("random", audio_rate=0.0, visual_rate=rates).denoise(context)
    np.testing.assert_array_equal(per_class.visual, other.visual)  # all of one class, none of the others
    pooled = make("random", audio_rate=0.0, visual_rate=removed.sum() / weak.sum()).denoise(context)
    assert (weak & ~pooled.visual).sum() == (weak & ~other.visual).sum()
    assert (pooled.visual != other.visual).any()
    np.testing.assert_array_equal(pooled.audio, weak)


def test_random_removal_needs_rates_that_fit() -> None:
    with pytest.raises(InputError, match=r"visual_rate is 1\.5"):
        make("random", visual_rate=1.5)
    with pytest.raises(InputError, match="found 2 rates, expected one, or 25"):
        make("random", audio_rate=(0.1, 0.2)).denoise(small_context())


def test_controls_do_not_share_memory_with_the_data() -> None:
    context = small_context()
    before = context.data["train"].labels.clone()
    denoised = make("weak").denoise(context)
    denoised.audio[:] = False
    assert torch.equal(context.data["train"].labels, before)
    assert denoised.visual.any()
