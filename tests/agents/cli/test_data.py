import re
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tyro

from rlld_agents.cli import main
from rlld_agents.cli.common import CONFIG
from rlld_agents.cli.data import Check, Import, Info, Twin
from rlld_gym.data.llp.importer import FeatureFilesError
from rlld_gym.data.store.feature_store import FeatureStore
from rlld_gym.data.twins.variants import VARIANTS
from rlld_gym.errors import InputError
from tests.data.annotation_folders import folder_2020
from tests.data.layouts import Layout, make_layout
from tests.data.stores import small_store
from tests.shared_files import shared_path


def rlld_data(*arguments: object) -> int:
    """Run ``rlld data`` with these arguments."""
    commands: dict[str, Any] = {"import": Import, "check": Check, "info": Info, "twin": Twin}
    words = [str(argument) for argument in arguments]
    command = tyro.extras.subcommand_cli_from_dict(commands, args=words, config=CONFIG)
    status: int = command.run()
    return status


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return make_layout(tmp_path)


def import_arguments(layout: Layout, out: Path) -> list[object]:
    return ["import", "--annotations", layout.annotations, "--features", layout.features, "--out", out]


def test_import_prints_a_table(layout: Layout, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert rlld_data(*import_arguments(layout, tmp_path / "llp.h5"), "--limit", 4) == 0
    printed = capsys.readouterr()
    assert "audio 5, visual 2D 6, 3D 3, float16" in printed.out
    assert "train          4             2.000      no" in printed.out
    assert "9 of 9" in printed.err, "the progress"


def test_import_lists_the_defects_of_the_annotations(layout: Layout, tmp_path: Path) -> None:
    events = layout.annotations / "AVVP_eval_audio.csv"
    line = len(events.read_text().splitlines()) + 1
    with events.open("a") as file:
        file.write("nobody_here_0_10\t0\t3\tDog\n")
    options = ["--defects", tmp_path / "defects.txt"]
    assert rlld_data(*import_arguments(layout, tmp_path / "llp.h5"), *options) == 0
    report = (tmp_path / "defects.txt").read_text()
    assert f"AVVP_eval_audio.csv:{line}: nobody_here_0_10 Dog 0-3" in report


def test_import_without_3d_and_as_float32(layout: Layout, tmp_path: Path) -> None:
    (layout.features / "res152").rename(layout.features / "clip")
    options = ["--no-3d", "--visual-2d-folder", "clip", "--dtype", "float32"]
    assert rlld_data(*import_arguments(layout, tmp_path / "llp.h5"), *options) == 0
    header = FeatureStore.open(tmp_path / "llp.h5").header
    assert (header.visual_2d_size, header.visual_3d_size, header.dtype) == (6, 0, "float32")


def test_import_lists_unusable_files(
    layout: Layout, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for row in (1, 4, 6):
        layout.file("vggish", row).unlink()
    with pytest.raises(FeatureFilesError, match=r"3 of 36 files cannot be used \(3 missing\)"):
        rlld_data(*import_arguments(layout, tmp_path / "llp.h5"), "--show", 2)
    printed = capsys.readouterr().err
    assert printed.count("missing: ") == 2
    assert "... and 1 more; --show 3 lists all" in printed


def test_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "store.h5"
    small_store().save(path)
    assert rlld_data("check", path) == 0
    assert capsys.readouterr().out == f"{path}: ok\n"
    with h5py.File(path, "r+") as file:
        file["audio"][0, 0, 0] = np.nan
    assert rlld_data("check", path) == 1
    printed = capsys.readouterr().out
    assert "NaN or infinity in 1 videos" in printed
    assert "checksum differs" in printed
    assert printed.endswith("problems found: 2\n")


def test_info(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = small_store(
        sources={"made": {"by": "hand"}, "checksum": "a" * 64}, recipe="compact", hidden_size=8
    )
    store.save(tmp_path / "store.h5")
    assert rlld_data("info", tmp_path / "store.h5") == 0
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines() if " " in line)
    assert lines["recommended"] == "recipe compact, hidden size 8"
    assert lines["made"] == "by hand"
    assert lines["checksum"] == "a" * 12
    split = store.split("val")
    truth = split.truth()
    assert truth is not None
    number, mean, known, heard, seen = lines["val"].split()
    assert (number, mean, known) == ("3", f"{split.labels.sum() / 3:.3f}", "yes")
    assert [heard, seen] == [f"{100 * track.sum() / split.labels.sum():.1f}" for track in truth]
    with pytest.raises(InputError, match="no such file"):
        rlld_data("info", tmp_path / "none.h5")


def test_twin_file_is_seeded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        assert rlld_data("twin", "--scale", "tiny", "--seed", seed, "--out", tmp_path / name) == 0
    assert "twin-tiny" in capsys.readouterr().out
    contents = [(tmp_path / name).read_bytes() for name in "abc"]
    assert contents[0] == contents[1] != contents[2]


def test_twin_variant_is_written_and_described(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--scale", "tiny", "--variant", "wrong", "--out", tmp_path / "wrong.h5")
    assert rlld_data("twin", *options) == 0
    described = capsys.readouterr().out
    assert re.search("name +twin-tiny-wrong\n", described)
    assert re.search("variant +wrong\n", described)
    with pytest.raises(InputError, match="--scale tiny --variant wrong --out FILE"):
        rlld_data("info", "twin-tiny-wrong")
    with pytest.raises(SystemExit):
        rlld_data("twin", "--help")
    text = re.sub(r"[\s│]+", " ", capsys.readouterr().out)
    for name, variant in VARIANTS.items():
        assert f"{name}: {variant.breaks}" in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--limit", "5"], "--limit 5: needs --layout llp"),
        (
            ["--layout", "llp", "--annotations", "x", "--variant", "weak"],
            "--variant weak: .*leave out --layout",
        ),
        (["--annotations", "x"], "--annotations x: needs --layout llp"),
        (["--layout", "llp"], "needs --annotations"),
        (["--layout", "llp", "--annotations", "x", "--limit", "0"], "--limit 0"),
    ],
)
def test_twin_options_that_do_not_go_together(tmp_path: Path, options: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        rlld_data("twin", "--out", tmp_path / "out", *options)


def test_twin_of_real_annotations_in_llps_layout_can_be_imported(tmp_path: Path) -> None:
    annotations = shared_path("llp/AVVP_train.csv").parent
    features = tmp_path / "features"
    options = ["--scale", "tiny", "--annotations", annotations, "--limit", 20]
    assert rlld_data("twin", "--layout", "llp", *options, "--out", features) == 0
    assert len(list((features / "res152").iterdir())) == 20 + 649 + 1200
    out = ["--features", features, "--out", tmp_path / "llp.h5"]
    assert rlld_data("import", "--annotations", annotations, "--limit", 20, *out) == 0
    store = FeatureStore.open(tmp_path / "llp.h5")
    assert store.name == "twin-tiny", "tables never call these features LLP"
    assert store.attributes["hidden_size"] == 32
    assert store.split("train").dense_audio is None
    assert rlld_data("check", tmp_path / "llp.h5") == 0


def test_the_repair_of_the_2020_audio_file_is_one_line_of_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    annotations = folder_2020(tmp_path)
    arguments = ["--features", str(tmp_path / "none"), "--out", str(tmp_path / "llp.h5")]
    assert main(["data", "import", "--annotations", str(annotations), *arguments]) == 2
    warned = [line for line in capsys.readouterr().err.splitlines() if line.startswith("rlld: warning: ")]
    assert len(warned) == 1
    assert "JfZEqeLZqWk_30_40" in warned[0]
