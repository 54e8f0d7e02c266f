import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rlld_agents.baselines import make
from rlld_agents.baselines.base import weak_labels
from rlld_agents.baselines.modality_aware import ModalityAware
from rlld_agents.baselines.parts.exchange import draw_partners, exchange_tracks, relative_errors
from rlld_gym.errors import InputError
from rlld_gym.parsing.recipes import get_recipe
from rlld_gym.parsing.training import feature_sizes, make_task_network, train_parser
from tests.agents.baselines.contexts import small_context


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**31), videos=st.integers(1, 30), classes=st.integers(1, 6))
def test_partners_share_no_label(seed: int, videos: int, classes: int) -> None:
    torch.manual_seed(seed)
    labels = (torch.rand(videos, classes) < 0.4).float()
    partners = draw_partners(labels)
    disjoint = (labels @ labels.T == 0) & ~torch.eye(videos, dtype=torch.bool)
    for video, partner in enumerate(partners.tolist()):
        if partner < 0:
            assert not disjoint[video].any()
        else:
            assert disjoint[video, partner]


def test_partners_are_drawn_uniformly_also_where_they_are_rare() -> None:
    torch.manual_seed(0)
    labels = torch.zeros(400, 2)
    labels[:, 0] = 1.0
    labels[-2:] = torch.tensor([0.0, 1.0])  # the only partners of the 398 others
    counts = torch.zeros(400)
    for _ in range(20):
        partners = draw_partners(labels)
        assert (partners >= 0).all()
        counts += torch.bincount(partners[:-2], minlength=400)
    assert counts[:-2].sum() == 0
    assert abs(counts[-1] / counts.sum() - 0.5) < 0.03


@pytest.fixture(scope="module")
def context():
    return small_context(videos=70, epochs=1)


@pytest.fixture(scope="module")
def network(context):
    sizes = feature_sizes(context.data["train"])
    return make_task_network(context.recipe, **sizes, hidden_size=8, seed=1).eval()


def test_exchange_equals_three_passes_video_by_video(context, network) -> None:
    train = context.data["train"]
    torch.manual_seed(0)
    partners = draw_partners(train.labels)
    exchange = exchange_tracks(network, train, partners, batch_size=32)
    with torch.no_grad():
        for video in range(0, len(train), 7):
            audio, visual_2d, visual_3d = train.batch(torch.tensor([video]))
            other_audio, other_2d, other_3d = train.batch(partners[[video]])
            plain = network(audio, visual_2d, visual_3d)
            foreign_visual = network(audio, other_2d, other_3d)
            foreign_audio = network(other_audio, visual_2d, visual_3d)
            expected = (
                plain.audio,
                plain.visual,
                torch.maximum(foreign_visual.audio, foreign_visual.visual),
                torch.maximum(foreign_audio.audio, foreign_audio.visual),
            )
            for ours, theirs in zip(exchange, expected, strict=True):
                torch.testing.assert_close(ours[[video]], theirs)


def test_relative_errors_by_hand(context, network) -> None:
    exchange = exchange_tracks(network, context.data["train"], torch.full((70,), -1))
    labels = torch.tensor([[1.0, 0.0, 1.0]]).repeat(70, 1)
    audio = torch.full((70, 3), 0.2)
    audio[:35, 0] = 0.9  # half of class 0 wrong, nothing of class 1, all of class 2
    found, none = relative_errors(exchange._replace(audio=audio, visual=labels), labels)
    assert found.tolist() == [0.5, 0.0, 1.0]
    assert none.tolist() == [0.0, 0.0, 0.0]


def test_labels_follow_the_published_rule() -> None:
    context = small_context(videos=96, epochs=2)
    denoised = make("ma").denoise(context)
    train, weak = context.data["train"], weak_labels(context)
    recipe = ModalityAware().recipe_of_base(context.recipe)
    base = train_parser(context.data, weak, weak, recipe, hidden_size=8, seed=0, keep="last").network
    torch.manual_seed(context.seed)
    exchange = exchange_tracks(base, train, draw_partners(train.labels))
    audio_error, visual_error = (error.numpy() for error in relative_errors(exchange, train.labels))
    with np.errstate(divide="ignore"):
        assert audio_error.max() == visual_error.max() == 1.0
        visual_noise = exchange.kept_visual.numpy() / visual_error < 0.5
        audio_noise = exchange.kept_audio.numpy() / audio_error < 0.5
    np.testing.assert_array_equal(denoised.visual, weak & ~visual_noise)
    np.testing.assert_array_equal(denoised.audio, weak & ~audio_noise)
    assert (weak & ~denoised.visual).any()
    assert denoised.removal_score is not None
    removed = np.stack((weak & ~denoised.audio, weak & ~denoised.visual), axis=1)
    assert (denoised.removal_score[removed] >= 0.5).all()
    assert (denoised.removal_score[~removed] <= 0.5).all()
    assert denoised.validation_labels == "none"


def test_video_without_partner_keeps_its_labels() -> None:
    context = small_context(videos=40)
    context.data["train"].labels[3] = 1.0  # shares a label with everybody; these tensors are copies
    denoised = make("ma").denoise(context)
    assert denoised.details["without_partner"] == 1
    assert denoised.audio[3].all()
    assert denoised.visual[3].all()
    assert denoised.removal_score is not None
    assert not denoised.removal_score[3].any()


def test_recipe_of_the_base_parser() -> None:
    compact, rlld = get_recipe("compact"), get_recipe("rlld")
    method = ModalityAware()
    assert method.recipe_of_base(compact).epochs == compact.epochs
    assert method.recipe_of_base(compact).learning_rate == compact.learning_rate
    published = method.recipe_of_base(rlld)
    assert (published.epochs, published.batch_size, published.learning_rate) == (12, 16, 3e-4)
    assert (published.visual_confidence, published.audio_weight, published.flavour) == (0.9, 1.0, "han")
    assert [published.learning_rate_at(done) for done in (9.5, 10.5)] == pytest.approx([3e-4, 3e-5])
    assert method.recipe_of_base(rlld.shortened(5)).epochs == 2
    assert ModalityAware(base_recipe="published").recipe_of_base(compact).epochs == 12
    assert ModalityAware(base_recipe="context").recipe_of_base(rlld).epochs == rlld.epochs
    assert ModalityAware(contrastive_weight=1.0).recipe_of_base(rlld).contrastive == "ma"
    with pytest.raises(InputError, match="base_recipe is 'own'"):
        make("ma", base_recipe="own")


def test_shared_arrays_remove_audio_labels_from_the_video_target() -> None:
    context = small_context(videos=96, epochs=2)
    plain, shared = make("ma").denoise(context), make("ma", share_arrays=True).denoise(context)
    np.testing.assert_array_equal(plain.visual, shared.visual)
    np.testing.assert_array_equal(plain.audio, shared.audio)
    assert plain.network is None
    assert shared.network is not None
    expected = train_parser(
        context.data,
        plain.audio,
        plain.visual,
        context.recipe,
        hidden_size=8,
        seed=0,
        video_labels=plain.audio,
    ).network
    for name, weight in shared.network.state_dict().items():
        assert weight.equal(expected.state_dict()[name])
