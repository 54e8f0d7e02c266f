"""Processes and exceptions: what crosses from one process to another, and what a fork leaves behind."""

import ast
import importlib
import os
import pickle
import re
from pathlib import Path

import pytest
import torch

import rlld_agents
import rlld_gym
from rlld_gym import forks
from rlld_gym.data.llp.importer import FeatureFilesError
from rlld_gym.data.llp.npy_scan import FileProblem
from rlld_gym.errors import InputError
from tests.envs.rollouts import make

EXCEPTION = re.compile("(Error|Exception|Interrupt)$")
PROBLEM = FileProblem("v", "v.npy", "missing", "(10, D)", "no file")
ARGUMENTS = {FeatureFilesError: (Path("features"), [PROBLEM], 3, "restore it")}


def own_exceptions():
    """Return the packages' exceptions, which are found in the source: not all modules can be imported here."""
    found = []
    for package in (rlld_gym, rlld_agents):
        root = Path(package.__path__[0])
        for path in root.rglob("*.py"):
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.ClassDef) and any(
                    EXCEPTION.search(ast.unparse(b)) for b in node.bases
                ):
                    name = ".".join([package.__name__, *path.relative_to(root).with_suffix("").parts])
                    found.append(getattr(importlib.import_module(name), node.name))
    return found


def test_every_exception_pickles():
    kinds = own_exceptions()
    assert {FeatureFilesError, InputError} <= set(kinds)
    for kind in kinds:
        error = kind(*ARGUMENTS.get(kind, ("what was found, what was expected",)))
        copy = pickle.loads(pickle.dumps(error))
        assert type(copy) is kind
        assert str(copy) == str(error)
        assert vars(copy) == vars(error)


def in_fork(action):
    """Return what a forked process prints; it is ended after its action."""
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        try:
            os.write(writing, str(action()).encode())
        except InputError as error:
            os.write(writing, str(error).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    return text


@pytest.fixture
def two_threads():
    """Let torch have started a second thread in this one."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    torch.ones(2**20).exp_()
    yield
    torch.set_num_threads(before)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_environment_says_that_it_would_hang(two_threads, monkeypatch):
    monkeypatch.setattr(forks, "SECONDS", 1.0)
    text = in_fork(lambda: make().reset(seed=0))
    assert text.startswith("this process was forked from one that used torch")
    assert '"context": "forkserver"' in text
    assert "\n" not in text


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_environment_plays_where_it_can():
    torch.set_num_threads(1)
    assert in_fork(lambda: len(make(task_start="fresh").reset(seed=0))) == "2"
