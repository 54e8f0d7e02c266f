"""The house in order: no circles, no crowded folders, no long files, no module hidden behind a function's name.

Which room may import from which is checked by import-linter, see ``setup.cfg``.
"""

import ast
import tomllib
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = {"rlld_gym": ROOT / "rlld_gym", "rlld_agents": ROOT / "agents"}
MODULES = {
    ".".join((package, *path.relative_to(folder).with_suffix("").parts)).removesuffix(".__init__"): path
    for package, folder in PACKAGES.items()
    for path in sorted(folder.rglob("*.py"))
}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in MODULES.items()}
FOLDERS = sorted({path.parent for path in MODULES.values()})


def imported(tree: ast.Module) -> Iterator[str]:
    """Yield the modules that a file imports, wherever in it and for whatever reason."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if whole in MODULES else node.module


def names_of_package(tree: ast.Module) -> set[str]:
    """Return the names that a package's ``__init__`` offers, of things that are not its own modules."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.ImportFrom):
            names.update(a.asname or a.name for a in node.names if f"{node.module}.{a.name}" not in MODULES)
        elif isinstance(node, ast.Assign) and "__all__" in [ast.unparse(target) for target in node.targets]:
            names.update(ast.literal_eval(node.value))
    return names


def test_no_imports_in_a_circle() -> None:
    graph = {
        name: {other for other in imported(tree) if other in MODULES and other != name}
        for name, tree in TREES.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail("imports go in a circle: " + " -> ".join(error.args[1]))


def test_absolute_imports_only() -> None:
    relative = [
        name
        for name, tree in TREES.items()
        if any(isinstance(node, ast.ImportFrom) and node.level for node in ast.walk(tree))
    ]
    assert relative == []


def test_files_are_short() -> None:
    lengths = {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in MODULES.items()}
    assert {name: lines for name, lines in lengths.items() if lines > 400} == {}


def test_folders_are_not_crowded() -> None:
    files = {str(folder.relative_to(ROOT)): len(list(folder.glob("*.py"))) for folder in FOLDERS}
    assert {folder: number for folder, number in files.items() if number > 20} == {}
    assert files["agents"] <= 10


def test_no_name_of_a_package_hides_one_of_its_modules() -> None:
    hidden = []
    for name, path in MODULES.items():
        if path.name == "__init__.py":
            below = {module.rpartition(".")[2] for module in MODULES if module.rpartition(".")[0] == name}
            hidden += [f"{name}.{module}" for module in sorted(below & names_of_package(TREES[name]))]
    assert hidden == []


@pytest.mark.parametrize("package", ["rlld_gym.parsing.networks", "rlld_gym.parsing.objectives"])
def test_systems_are_imported_only_when_they_are_named(package: str) -> None:
    at_once = ast.Module([node for node in TREES[package].body if not isinstance(node, ast.If)], [])
    assert {name for name in imported(at_once) if name.startswith(package)} == {f"{package}.base"}


def test_every_package_is_installed() -> None:
    """The wheel has what pyproject.toml lists; from a clone an editable installation finds the rest, too."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    packages = {name for name, path in MODULES.items() if path.name == "__init__.py"}
    assert packages == set(settings["packages"])
