"""The completion script, sourced by the shell that it is for."""

import shutil
import subprocess

import pytest

from rlld_agents.cli import main


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_bash_completes_commands_options_and_files(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "bash"]) == 0
    script = capsys.readouterr().out
    asked = [("rlld tr", 1), ("rlld data im", 2), ("rlld train --parser-e", 2), ("rlld data import --seg", 3)]
    for words, number in asked:
        script += f'\nCOMP_WORDS=({words}); COMP_CWORD={number}; _rlld; echo "${{COMPREPLY[@]}}"'
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["train train-parser", "import", "--parser-epochs", "--segments"]
