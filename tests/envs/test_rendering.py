import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import data_equivalence

from rlld_gym.envs.rendering.drawing import CODES, COLORS, Frame, draw_picture, draw_table
from rlld_gym.envs.rendering.font import HEIGHT, WIDTH, text_mask

SMALL = {"data": "twin-tiny", "batch_size": 4, "episode_length": 2, "hidden_size": 8, "recipe": "compact"}
CLASSES = ("Dog", "Cat", "Speech")
REWARDS = {"inter_reward": 0.5, "terminal_reward": 0.0, "reward_audio": 0.25, "reward_visual": 0.75}


def make(render_mode):
    return gym.make("rlld_gym:rlld/LabelDenoising-v0", render_mode=render_mode, **SMALL)


def example_frame():
    shown = np.zeros((2, 2, 3), bool)
    shown[0, :, :2] = True
    shown[1, :, 2] = True
    revised = shown.copy()
    revised[0, 0, 1] = False
    reverted = np.array([[False, False], [True, True]])
    return Frame(3, 8, shown, CLASSES, revised, reverted, REWARDS)


def test_codes_of_labels():
    codes = [[CODES[code] for code in row] for row in example_frame().codes()[:, 0]]
    assert codes == [["kept", "removed", "absent"], ["absent", "absent", "reverted"]]
    assert example_frame().counts() == {
        "audio": {"shown": 0, "kept": 1, "removed": 1, "reverted": 1},
        "visual": {"shown": 0, "kept": 2, "removed": 0, "reverted": 1},
    }


def test_table_says_what_happened():
    lines = [line.split() for line in draw_table(example_frame()).splitlines()]
    assert lines[0] == ["step", "3", "of", "8,", "2", "videos"]
    assert lines[2] == ["audio", "3", "1", "1", "1", "0.250"]
    assert lines[3] == ["visual", "3", "2", "0", "1", "0.750"]


def test_picture_has_a_cell_of_the_right_colour_for_every_label():
    """Count pixels by colour and compare with the picture before the action."""

    def pixels(frame):
        picture = draw_picture(frame)
        return {name: int((picture == color).all(axis=2).sum()) for name, color in COLORS.items()}

    start = Frame(0, 8, example_frame().shown, CLASSES)
    legend, after = pixels(start), pixels(example_frame())
    cell = after["removed"] - legend["removed"]
    assert cell > 0
    assert after["kept"] - legend["kept"] == 3 * cell
    assert after["reverted"] - legend["reverted"] == 2 * cell
    assert legend["shown"] - after["shown"] == 6 * cell
    assert legend["absent"] == after["absent"]


@pytest.mark.parametrize("videos", [1, 128, 700])
@pytest.mark.parametrize("classes", [1, 3, 40, 100])
def test_pictures_of_any_size(videos, classes):
    shown = np.ones((videos, 2, classes), bool)
    names = [f"class {number}" for number in range(classes)]
    picture = draw_picture(Frame(0, 8, shown, names))
    assert picture.dtype == np.uint8
    assert picture.ndim == 3
    assert picture.shape == draw_picture(Frame(1, 8, ~shown, names, shown, shown.any(axis=2), REWARDS)).shape


@pytest.mark.parametrize("classes", [1, 10, 25, 100])
def test_titles_of_the_panels_do_not_touch(classes):
    """The rows of the titles are white between the end of the first and the start of the second panel."""
    picture = draw_picture(Frame(0, 8, np.ones((4, 2, classes), bool), ["name"] * classes))
    top = 24 + 6 * 26
    ink = (picture[top + 4 : top + 4 + 2 * HEIGHT] != 255).any(axis=(0, 2))
    assert picture.shape[1] < 4000
    text = 2 * WIDTH * len("audio labels, a row per video")
    assert not ink[24 + 50 + text : 24 + 50 + text + 24].any()
    assert ink.sum() > text  # both are there


def test_ansi():
    env = make("ansi")
    env.reset(seed=0)
    assert "step 0 of 2" in env.render()
    env.step(env.action_space.sample())
    assert "not measured yet" in env.render()
    env.step(env.action_space.sample())
    assert "validation F, percent: segment A" in env.render()
    env.reset()
    assert "step 0 of 2" in env.render()


def test_rgb_array():
    env = make("rgb_array")
    env.reset(seed=0)
    first = env.render()
    env.step(env.action_space.sample())
    second = env.render()
    assert first.dtype == second.dtype == np.uint8
    assert first.shape == second.shape == (*first.shape[:2], 3)
    assert (first != second).any()


def test_frames_of_an_episode_through_gymnasium_s_wrapper():
    env = make("rgb_array_list")
    env.reset(seed=0)
    env.step(env.action_space.sample())
    assert len(env.render()) == 2


def test_rendering_does_not_change_what_happens():
    outcomes = []
    for mode in (None, "rgb_array"):
        env = make(mode)
        env.reset(seed=0)
        env.action_space.seed(0)
        for _ in range(2):
            outcome = env.step(env.action_space.sample())
            if mode:
                env.render()
        outcomes.append(outcome)
    assert data_equivalence(*outcomes, exact=True)


def test_rendering_before_reset_and_without_a_mode():
    with pytest.raises(ResetNeeded, match="reset"):
        make("ansi").unwrapped.render()
    env = make(None).unwrapped
    env.reset(seed=0)
    with pytest.warns(UserWarning, match="render_mode"):
        assert env.render() is None


def test_every_printable_character_of_our_texts_has_a_glyph():
    import string  # noqa: PLC0415

    unknown = text_mask("\x00")
    for character in string.ascii_letters + string.digits + ".,:()-_/%":
        assert text_mask(character).any()
        assert (text_mask(character) != unknown).any()
    assert text_mask("ab", scale=3).shape == (3 * HEIGHT, 3 * 2 * WIDTH)
    assert text_mask("").shape == (HEIGHT, 0)
    assert not text_mask(" ").any()
