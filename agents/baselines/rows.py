"""Named rows of studies: a method of the registry, with options where a row is a variant of one. A line each.

Controls go by two names: ``keep-all`` is ``weak`` and ``no-visual-speech`` is ``no_visual_speech`` in the tables of
``rlld compare``. Of the two rows called ``random``, that of ``rlld compare`` removes as many labels as the oracle
does, that of ``rlld benchmark`` LLP's share of noise.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from rlld_agents.baselines.base import Denoiser
from rlld_agents.baselines.registry import AGENTS, find
from rlld_agents.baselines.systems import SYSTEMS
from rlld_gym.data.classes import SPEECH_NAME
from rlld_gym.errors import InputError

NOTHING: Final[Mapping[str, Any]] = {}


@dataclass(frozen=True)
class Row:
    """A row of a study: how labels are removed, and how a parser is trained on what is left.

    Attributes:
        label: what tables call it.
        method: key of `METHODS` or of `AGENTS`, "module:Class", or an entry point "rlld.denoisers".
        options: of the method.
        takes: options that the method takes from the study, by name: {"episodes": "rlld_episodes"}.
        recipe: fields of the parsers' recipe that are otherwise in this row: {"visual_confidence": 0.9}.
        study: options of the study that are otherwise in this row: {"data": "twin-full", "dense_videos": 100}.
        published: key of the row in the literature that it answers to, see `rlld_agents.reports.published`.
        control: whether it only shows what others must be compared with.
        system: key of `SYSTEMS`: the parser that is trained, instead of the study's own; None: that one.
        labels: with a system, key of `LABEL_SETS`: the labels, made once for a seed by the row's method.
    """

    label: str
    method: str
    options: Mapping[str, Any] = field(default_factory=dict)
    takes: Mapping[str, str] = field(default_factory=dict)
    recipe: Mapping[str, Any] = field(default_factory=dict)
    study: Mapping[str, Any] = field(default_factory=dict)
    published: str | None = None
    control: bool = False
    system: str | None = None
    labels: str | None = None

    def denoiser(self, study: object) -> Denoiser:
        """Return the row's method, for a study with its options as attributes.

        Raises:
            InputError: there is no such method, an option is unknown or impossible, or a library is missing.
        """
        taken = {option: getattr(study, name) for option, name in self.takes.items()}
        return find(self.method)(**{**taken, **self.options})


def vary(rows: Mapping[str, Row], option: str, values: Iterable[Any]) -> dict[str, Row]:
    """Return every row once for each value of an option of the study, as "NAME@OPTION=VALUE"."""
    return {
        f"{name}@{option}={value}": replace(
            row, label=f"{row.label}, {option} {value}", study={**row.study, option: value}
        )
        for value in values
        for name, row in rows.items()
    }


def agent_row(name: str) -> Row:
    """Return the row of an agent: a bundled one, "module:Class", or an entry point "rlld.agents"."""
    taken = {"steps": "steps", "environment": "environment"}
    return Row(name, name, takes=taken) if name in AGENTS else Row(name, "agent", {"agent": name}, taken)


def plugin_row(name: str) -> Row:
    """Return the row of a denoiser from outside."""
    return Row(name, name)


LEARNS: Final = {"episodes": "rlld_episodes", "environment": "environment"}
"""What every form of RLLD takes from the study."""

ROWS: Final[Mapping[str, Row]] = {
    "weak": Row("weak labels", "weak", control=True),
    "label_smoothing": Row("label smoothing (HAN)", "label_smoothing", published="HAN"),
    "weak+cl": Row("weak labels + CL", "weak+cl", control=True),
    "random": Row("random, noise rate", "random", control=True),
    "no_visual_speech": Row("no visual Speech", "no_visual_speech", control=True),
    "no_visual_speech+cl": Row("no visual Speech + CL", "no_visual_speech+cl", control=True),
    "co_teaching": Row("Co-teaching+", "co_teaching", published="HAN + Co-teaching+"),
    "jocor": Row("JoCoR", "jocor", published="HAN + JoCoR"),
    "cleanlab": Row("cleanlab", "cleanlab"),
    "ma": Row("MA", "ma", published="MA"),
    "ma+cl": Row("MA + CL", "ma+cl", published="MA + CL"),
    "jomold": Row("JoMoLD", "jomold", published="JoMoLD"),
    "jomold+cl": Row("JoMoLD + CL", "jomold+cl", published="JoMoLD + CL"),
    "jomold-as-published": Row("JoMoLD, smoothed as published", "jomold-as-published", published="JoMoLD"),
    "jomold-as-published+cl": Row(
        "JoMoLD + CL, smoothed as published", "jomold-as-published+cl", published="JoMoLD + CL"
    ),
    "paper": Row("RLLD as published", "paper", takes=LEARNS, published="RLLD"),
    "paper+cl": Row("RLLD as published + CL", "paper+cl", takes=LEARNS, published="RLLD + CL"),
    "rlld": Row("RLLD, reward only", "rlld", takes=LEARNS, published="RLLD"),
    "rlld-frozen": Row(
        "RLLD, reward only, frozen labels", "rlld", {"final": "frozen"}, LEARNS, published="RLLD"
    ),
    "rlld+cl": Row("RLLD, reward only + CL", "rlld+cl", takes=LEARNS, published="RLLD + CL"),
    "supervised": Row("supervised on validation", "supervised"),
    "imitation+rounds": Row("imitation in rounds", "imitation+rounds"),
    "imitation+rounds+cl": Row("imitation in rounds + CL", "imitation+rounds+cl"),
    "joint": Row("joint: imitation, then rewards", "joint", takes=LEARNS),
    "joint+cl": Row("joint + CL", "joint+cl", takes=LEARNS),
    "oracle": Row("oracle", "oracle", control=True),
    "oracle+cl": Row("oracle + CL", "oracle+cl", control=True),
}
"""Rows of the main table, in its order."""

ABLATIONS: Final[Mapping[str, Row]] = {
    "paper": ROWS["paper"],
    "paper-no-initialized-labels": Row(
        "w/o initialized labels",
        "paper",
        {"initialized_labels": False},
        takes=LEARNS,
        published="RLLD w/o initialized labels",
    ),
    "paper-no-soft-inter-reward": Row(
        "w/o soft inter-reward",
        "paper",
        {"soft_inter_reward": False},
        takes=LEARNS,
        published="RLLD w/o soft inter-reward",
    ),
}
"""Rows of the ablation (Table 2 of RLLD, arXiv 2412.19563)."""

LEARNING: Final[Mapping[str, Row]] = {
    **{
        name: ROWS[name]
        for name in ("weak", "no_visual_speech", "no_visual_speech+cl", "ma", "jomold+cl", "supervised")
    },
    "imitation": Row("imitation", "imitation"),
    "imitation+label": Row("+ credit per label", "imitation+label"),
    "imitation+video": Row("+ credit per video", "imitation+video"),
    "imitation+ppo": Row("+ credit per video, PPO", "imitation+ppo"),
    "imitation+scalar": Row("+ scalar reward (paper)", "imitation+scalar"),
    "scratch+label": Row("credit per label, no imitation", "scratch+label"),
    "imitation+recombined": Row("imitation, recombined videos", "imitation+recombined"),
    "imitation+rounds": ROWS["imitation+rounds"],
    "imitation+rounds+label": Row("imitation in rounds + credit per label", "imitation+rounds+label"),
    "rlld": ROWS["rlld"],
    "joint": ROWS["joint"],
    "joint-online": Row("joint, policy in the loop of the parser", "joint", {"final": "online"}, LEARNS),
    "oracle": ROWS["oracle"],
}
"""Rows that ask what rewards add to imitation."""

AGENT_ROWS: Final[Mapping[str, Row]] = {name: agent_row(name) for name in AGENTS if name != "agent"}
"""Bundled agents."""

CONTROL_ROWS: Final[Mapping[str, Row]] = {
    "keep-all": Row("keep-all", "weak", control=True),
    "random": Row("random", "random", {"number": "truth"}, control=True),
    "no-visual-speech": Row("no-visual-speech", "no_visual_speech", control=True),
    "oracle": Row("oracle", "oracle", control=True),
}
"""Controls by the names that ``rlld compare`` gives them."""

LABEL_SETS: Final[Mapping[str, Row]] = {
    "weak": ROWS["weak"],
    "rule": ROWS["no_visual_speech"],
    "jomold+cl": ROWS["jomold+cl"],
    "rlld": ROWS["rlld"],
    "joint": ROWS["joint"],
    "oracle": ROWS["oracle"],
}
"""Labels that every system is trained on: the rows whose methods make them, with HAN as parser."""


def system_row(system: str, labels: str) -> Row:
    """Return the row of a system that is trained on the labels of a key of `LABEL_SETS`."""
    kind, source = SYSTEMS[system], LABEL_SETS[labels]
    return replace(
        source,
        label=f"{kind.label}, {source.label}",
        published=kind.published.get(labels),
        system=system,
        labels=labels,
    )


SYSTEM_ROWS: Final[Mapping[str, Row]] = {
    f"{system}@{labels}": system_row(system, labels) for system in SYSTEMS for labels in LABEL_SETS
}
"""Every published parser on every label set."""

Preset = Literal["main", "ablation", "learning", "systems"]
PRESETS: Final[Mapping[Preset, Mapping[str, Row]]] = {
    "main": ROWS,
    "ablation": ABLATIONS,
    "learning": LEARNING,
    "systems": SYSTEM_ROWS,
}
"""Tables of ``rlld benchmark`` by name."""


def known_rows(first: Mapping[str, Row] = NOTHING) -> dict[str, Row]:
    """Return all named rows; those of ``first`` have precedence where a name is used twice."""
    known = dict(first)
    for rows in (*PRESETS.values(), AGENT_ROWS, CONTROL_ROWS):
        known |= {name: row for name, row in rows.items() if name not in known}
    return known


def row_of(name: str) -> Row:
    """Return a row of any table; those of ``rlld benchmark`` have precedence.

    Raises:
        InputError: there is none of this name.
    """
    known = known_rows()
    if name not in known:
        raise InputError(f"--methods {name}: unknown; expected some of {', '.join(known)}, or module:Class")
    return known[name]


def label_of(name: str, never_visible: str | None = SPEECH_NAME) -> str:
    """Return what tables call a row: its label, or the name of a row that is in no table.

    Args:
        name: of the row.
        never_visible: the class that the rule is about; labels that say Speech say its name.
    """
    known = known_rows()
    return known[name].label.replace(SPEECH_NAME, never_visible or SPEECH_NAME) if name in known else name


def is_control(name: str) -> bool:
    """Return whether a row of a table only shows what others must be compared with."""
    known = known_rows()
    return name in known and known[name].control
