"""How networks are trained where nothing is asked for: decided once, whoever says or uses it."""

import dataclasses
import json
from pathlib import Path

import pytest

from rlld_agents.cli import main
from rlld_agents.experiments.forecast import in_less_time
from rlld_agents.runs.setting import Setting
from rlld_gym.data.llp.npy_layout import SOURCE_FILE
from rlld_gym.data.store.feature_store import FeatureStore
from rlld_gym.data.store.recommended import FEW_VIDEOS, Training, faster_on_cpu, recommended_training
from rlld_gym.envs.options import EnvironmentArguments
from tests.data.layouts import make_layout
from tests.data.stores import small_store

NARROW, PUBLISHED = Training("compact-tiny", 32), Training("rlld", 512)
FULL_TWIN = {"recipe": "rlld", "hidden_size": 512}


def test_few_videos_get_a_narrow_network_whatever_was_noted_for_many() -> None:
    assert recommended_training(FEW_VIDEOS) == recommended_training(300, FULL_TWIN) == NARROW
    assert recommended_training(FEW_VIDEOS + 1) == recommended_training(10000, FULL_TWIN) == PUBLISHED
    own = {"recipe": "compact", "hidden_size": 64}
    assert recommended_training(300, own) == recommended_training(10000, own) == Training("compact", 64)


def test_what_is_recommended_for_few_videos_is_never_said_to_be_slow() -> None:
    assert faster_on_cpu(300, NARROW.hidden_size) is None
    assert faster_on_cpu(300, 512) == NARROW
    assert faster_on_cpu(10000, 512) == Training("compact", 64)


@pytest.mark.parametrize("source", [None, FULL_TWIN])
def test_import_info_and_everything_that_trains_agree(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], source: dict[str, object] | None
) -> None:
    layout, out = make_layout(tmp_path), tmp_path / "own.h5"
    if source is not None:
        (layout.features / SOURCE_FILE).write_text(json.dumps(source))
    folders = ["--annotations", str(layout.annotations), "--features", str(layout.features)]
    printed = []
    for command in (["import", *folders, "--out", str(out)], ["info", str(out)]):
        assert main(["data", *command]) == 0
        lines = capsys.readouterr().out.splitlines()
        printed.append([line.split(maxsplit=1)[1] for line in lines if line.startswith("recommended")])
        assert not any(line.startswith("faster") for line in lines)
    setting = Setting(str(out), device="cpu")
    assert printed == [[str(Training(setting.recipe.name, setting.hidden_size))]] * 2
    options = EnvironmentArguments(batch_size=2).process_config(FeatureStore.open(out).header)
    assert (options.recipe, options.hidden_size) == (setting.recipe, setting.hidden_size)
    assert in_less_time(setting) is None


def test_what_the_maker_of_a_store_said_holds_and_the_faster_choice_is_the_same_everywhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "wide.h5"
    small_store(**FULL_TWIN).save(path)
    setting = Setting(str(path), device="cpu")
    assert Training(setting.recipe.name, setting.hidden_size) == setting.store.header.recommended == PUBLISHED
    assert main(["data", "info", str(path)]) == 0
    said = dict(line.split("  ", 1) for line in capsys.readouterr().out.splitlines() if "  " in line)
    assert said["faster on a CPU"].strip() == str(NARROW)
    advice = in_less_time(setting)
    assert advice is not None
    assert (
        f"--recipe {NARROW.recipe} --hidden-size {NARROW.hidden_size} (now rlld, 25 epochs, width 512)"
        in advice
    )


def test_a_store_of_many_videos_is_trained_as_published() -> None:
    header = small_store().header
    assert header.recommended == NARROW
    many = dataclasses.replace(header, counts={**header.counts, "train": FEW_VIDEOS + 1})
    assert recommended_training(many.counts["train"]) == PUBLISHED
