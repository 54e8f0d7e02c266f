"""``rlld completion``: a script that completes commands and options in a shell."""

import contextlib
import importlib
import io
import re
from dataclasses import dataclass
from typing import Any, Literal

import tyro

_OPTION = re.compile(r"^[│ ] (--[a-z0-9-]+)(?:, (--[a-z0-9-]+))?", re.MULTILINE)
"""Where a line of the help begins with an option, and its opposite where there is one."""

_SCRIPT = """\
{head}_rlld() {{
    local word="${{COMP_WORDS[COMP_CWORD]}}" command="${{COMP_WORDS[1]}}" words=""
    local first=$((COMP_CWORD == 1)) second=0
    if [ "$command" = data ]; then
        second=$((COMP_CWORD == 2)); command="data ${{COMP_WORDS[2]}}"
    fi
    if [ $first = 1 ]; then words="{commands}"
    elif [ $second = 1 ]; then words="{data_commands}"
    else
        case "$command" in
{cases}
        esac
        [[ $word == -* ]] || {{ COMPREPLY=($(compgen -f -- "$word")); return; }}
    fi
    COMPREPLY=($(compgen -W "$words" -- "$word"))
}}
complete -o filenames -F _rlld rlld
"""


@dataclass(frozen=True)
class Completion:
    """Print a script that completes commands, options and files: source <(rlld completion bash)."""

    shell: tyro.conf.Positional[Literal["bash", "zsh"]]
    """The shell."""

    def run(self) -> int:
        """Print the script and return the exit status 0."""
        from rlld_agents.cli import COMMANDS, DATA_COMMANDS

        classes = {name: (module, kind) for name, (module, kind, _) in COMMANDS.items()}
        classes |= {f"data {name}": (module, kind) for name, (module, kind, _) in DATA_COMMANDS.items()}
        cases = [
            f'        "{name}") words="{" ".join(options_of(getattr(importlib.import_module(module), kind)))}";;'
            for name, (module, kind) in classes.items()
        ]
        head = "autoload -U +X bashcompinit && bashcompinit\n" if self.shell == "zsh" else ""
        commands, data_commands = " ".join([*COMMANDS, "data"]), " ".join(DATA_COMMANDS)
        print(
            _SCRIPT.format(head=head, commands=commands, data_commands=data_commands, cases="\n".join(cases)),
            end="",
        )
        return 0


def options_of(command: type[Any]) -> list[str]:
    """Return the options of a command, as its help lists them."""
    from rlld_agents.cli.common import parse

    text = io.StringIO()
    with contextlib.redirect_stdout(text), contextlib.suppress(SystemExit):
        parse(command, "rlld", ["--help"])
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text.getvalue())
    return sorted({name for pair in _OPTION.findall(plain) for name in pair if name})
