"""The parts that pages of results have in common."""

import shlex
import subprocess

import pytest

from rlld_agents.reports.results import made_with, near_chance
from tests.agents.cli_runs import command_in

LONG = [
    "rlld",
    "benchmark",
    "--data",
    "my videos/store.h5",
    "--methods",
    *(f"method-{index}" for index in range(40)),
]


@pytest.mark.parametrize("words", [LONG, [*LONG, "--workers", "1", "--out", "it's 100 $HOME"], LONG[:2]])
def test_a_command_is_broken_into_lines_that_a_shell_joins_again(words: list[str]) -> None:
    text = made_with(shlex.join(words))
    assert command_in(text) == words
    assert all(len(line) <= 120 for line in text.splitlines())
    block = text.partition("```bash\n")[2].partition("```")[0]
    assert block.startswith("rlld")
    said = subprocess.run(
        ["bash", "-c", "printf '%s\\n' " + block], check=True, capture_output=True, text=True
    ).stdout
    assert said.splitlines() == words


def test_an_auc_near_chance_is_a_reason_to_warn() -> None:
    estimate = {"audio": {"auc": None}, "visual": {"auc": 0.61, "auc_without_speech": 0.6}}
    assert near_chance(estimate, "Wind") == ""
    estimate["visual"] = {"auc": 0.31, "auc_without_speech": 0.254}
    assert "(visual 0.31, visual without Wind 0.25): do not use these labels" in near_chance(estimate, "Wind")


def test_an_option_and_its_value_stand_on_one_line() -> None:
    for length in range(90, 120):
        text = made_with(f"rlld {'x' * length} --workers 1")
        assert "--workers 1" in text
