import pytest

from rlld_gym.denoising.config import ProcessConfig
from rlld_gym.errors import InputError


def test_the_defaults_are_the_paper_s_episode():
    config = ProcessConfig()
    assert config.num_carried == 32
    assert config.subset_size(10000) == 3333
    # "One-epoch model training" on a third of the training set: a batch, then 31 times 96 new videos.
    assert 128 + 31 * 96 <= 3333


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("batch_size", 0),
        ("batch_size", 2.5),
        ("batch_size", True),
        ("episode_length", -1),
        ("hidden_size", "64"),
        ("overlap", 1.0),
        ("overlap", -0.1),
        ("overlap", "a quarter"),
        ("subset", 0),
        ("subset", 1.5),
        ("subset", float("nan")),
        ("terminal_scale", float("inf")),
        ("terminal_every", 0),
        ("inter_weights", (0.6,)),
        ("inter_weights", 0.6),
        ("inter_weights", (0.6, None)),
        ("task_lifespan", "forever"),
        ("empty_rule", "both"),
        ("overlap_labels", ""),
        ("reward", "both"),
        ("credit_loss", "f1"),
        ("credit_videos", 0),
        ("credit_videos", None),
        ("credit_scale", float("nan")),
        ("credit_scale", "1"),
    ],
)
def test_bad_options_are_named(option, value):
    with pytest.raises(InputError, match=f"^{option} is .*expected"):
        ProcessConfig(**{option: value})


def test_lists_from_json_become_tuples():
    assert ProcessConfig(inter_weights=[1, 0]).inter_weights == (1.0, 0.0)


@pytest.mark.parametrize(("batch_size", "overlap", "expected"), [(4, 0.99, 3), (1, 0.9, 0), (10, 0.25, 2)])
def test_at_least_one_video_of_a_batch_is_new(batch_size, overlap, expected):
    assert ProcessConfig(batch_size=batch_size, overlap=overlap).num_carried == expected


def test_a_subset_that_cannot_fill_a_batch():
    with pytest.raises(InputError, match=r"is 33, less than the batch_size of 50; .*a batch_size of 32$"):
        ProcessConfig(batch_size=50).subset_size(100)
