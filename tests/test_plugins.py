"""Code from outside by name; entry points are those of a distribution that lies in a folder on the path."""

from pathlib import Path

import pytest

from rlld_gym.errors import InputError
from rlld_gym.plugins import is_plugin, load_plugin, plugin_names

MODULE = "class Fine:\n    def learn(self): ...\n    def act(self): ...\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a working directory with modules of a user."""
    (tmp_path / "plugin_fine.py").write_text(MODULE)
    (tmp_path / "plugin_broken.py").write_text("1 / 0\n")
    (tmp_path / "plugin_needy.py").write_text("import no_such_library\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


@pytest.fixture
def installed(here: Path) -> Path:
    """Return the folder, with an installed package's entry points beside the modules."""
    folder = here / "plugin_package-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: plugin-package\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text(
        "[rlld.agents]\nfine = plugin_fine:Fine\nlost = plugin_fine:Lost\n"
    )
    return here


def test_modules_of_the_working_directory_are_found(here: Path) -> None:
    assert load_plugin("plugin_fine:Fine", "--agent", methods=("learn", "act")).__name__ == "Fine"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("plugin_fine", "--agent plugin_fine: expected module:Class, for example my_module:MyAgent"),
        (":Fine", "--agent :Fine: expected module:Class"),
        ("plugin_nowhere:Fine", "there is no module 'plugin_nowhere'"),
        ("plugin_needy:Fine", "there is no module 'no_such_library'"),
        ("plugin_fine:Other", "the module has no 'Other'"),
        ("plugin_broken:Fine", r"cannot be imported \(ZeroDivisionError: division by zero\)"),
        ("plugin_fine:Fine", "has no method denoise; needed: act, denoise"),
    ],
)
@pytest.mark.usefixtures("here")
def test_what_cannot_be_loaded_is_named_in_a_line(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        load_plugin(text, "--agent", "rlld.agents", ("act", "denoise"))
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("installed")
def test_entry_points_of_installed_packages_have_short_names() -> None:
    assert {"fine", "lost"} <= set(plugin_names("rlld.agents"))
    assert load_plugin("fine", "--agent", "rlld.agents").__name__ == "Fine"
    assert is_plugin("fine", "rlld.agents")
    assert not is_plugin("fine", "rlld.denoisers")
    with pytest.raises(InputError, match=r"--agent lost \(plugin_fine:Lost\): cannot be imported"):
        load_plugin("lost", "--agent", "rlld.agents")
    with pytest.raises(InputError, match=r"or one of the entry points .*fine"):
        load_plugin("unknown", "--agent", "rlld.agents")
