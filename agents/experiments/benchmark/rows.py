"""The rows of the benchmark: a method of the registry, with options where a row is a variant of one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from rlld_agents.baselines import METHODS, Denoiser, make
from rlld_gym.errors import InputError

if TYPE_CHECKING:
    from rlld_agents.experiments.benchmark.config import BenchmarkConfig


@dataclass(frozen=True)
class Row:
    """A row.

    Attributes:
        label: what tables call it.
        method: key of `METHODS`.
        options: of the method.
        published: key of the row in the literature that it answers to, see `published`.
    """

    label: str
    method: str
    options: Mapping[str, Any] = field(default_factory=dict)
    published: str | None = None


ROWS: Final[Mapping[str, Row]] = {
    "weak": Row("weak labels", "weak"),
    "label_smoothing": Row("label smoothing (HAN)", "label_smoothing", published="HAN"),
    "random": Row("random, noise rate", "random"),
    "no_visual_speech": Row("no visual Speech", "no_visual_speech"),
    "co_teaching": Row("Co-teaching+", "co_teaching", published="HAN + Co-teaching+"),
    "jocor": Row("JoCoR", "jocor", published="HAN + JoCoR"),
    "cleanlab": Row("cleanlab", "cleanlab"),
    "ma": Row("MA", "ma", published="MA"),
    "ma+cl": Row("MA + CL", "ma+cl", published="MA + CL"),
    "jomold": Row("JoMoLD", "jomold", published="JoMoLD"),
    "jomold+cl": Row("JoMoLD + CL", "jomold+cl", published="JoMoLD + CL"),
    "rlld": Row("RLLD (paper)", "rlld", published="RLLD"),
    "rlld+cl": Row("RLLD + CL (paper)", "rlld+cl", published="RLLD + CL"),
    "supervised": Row("supervised on validation", "supervised"),
    "joint": Row("joint loop", "joint"),
    "joint+cl": Row("joint loop + CL", "joint+cl"),
    "oracle": Row("oracle", "oracle"),
}
"""Rows of the main table, in its order."""

ABLATIONS: Final[Mapping[str, Row]] = {
    "rlld": ROWS["rlld"],
    "rlld-no-initialized-labels": Row(
        "w/o initialized labels", "rlld", {"initialized_labels": False}, "RLLD w/o initialized labels"
    ),
    "rlld-no-soft-inter-reward": Row(
        "w/o soft inter-reward", "rlld", {"soft_inter_reward": False}, "RLLD w/o soft inter-reward"
    ),
}
"""Rows of the ablation (Table 2 of RLLD, arXiv 2412.19563)."""

LEARNING: Final[Mapping[str, Row]] = {
    **{name: ROWS[name] for name in ("weak", "no_visual_speech", "ma", "jomold+cl", "supervised")},
    "imitation": Row("imitation", "imitation"),
    "imitation+label": Row("+ credit per label", "imitation+label"),
    "imitation+video": Row("+ credit per video", "imitation+video"),
    "imitation+ppo": Row("+ credit per video, PPO", "imitation+ppo"),
    "imitation+scalar": Row("+ scalar reward (paper)", "imitation+scalar"),
    "scratch+label": Row("credit per label, no imitation", "scratch+label"),
    "imitation+recombined": Row("imitation, recombined videos", "imitation+recombined"),
    "joint": ROWS["joint"],
    "joint+label": Row("joint loop + credit per label", "joint+label"),
    "oracle": ROWS["oracle"],
}
"""Rows that ask what rewards add to imitation."""

PRESETS: Final[Mapping[str, Mapping[str, Row]]] = {
    "main": ROWS,
    "ablation": ABLATIONS,
    "learning": LEARNING,
}


def row_of(name: str) -> Row:
    """Return a row of any preset.

    Raises:
        InputError: there is none of this name.
    """
    for rows in PRESETS.values():
        if name in rows:
            return rows[name]
    known = dict.fromkeys(name for rows in PRESETS.values() for name in rows)
    raise InputError(f"--methods {name}: unknown; expected some of {', '.join(known)}")


def method_of(name: str, config: "BenchmarkConfig") -> Denoiser:
    """Return the method of a row."""
    row = row_of(name)
    options = dict(row.options)
    if METHODS[row.method].home.endswith(":RLLD"):
        options["episodes"] = config.rlld_episodes
    return make(row.method, **options)
