"""Reports episodes of the per-video environment while Stable-Baselines3 learns on it."""

from collections.abc import Sequence
from typing import Final

from stable_baselines3.common.callbacks import BaseCallback

from rlld_agents.baselines.agents.protocol import ReportEpisode

PAID_SCORES: Final = ("segment_audio", "event_visual")
"""The validation scores that the two branches are paid (Eq. 10 of RLLD)."""


class EpisodeCallback(BaseCallback):
    """Calls a report at the end of every episode of the batch, as `EpisodeReports` does.

    The return is that of the paper's reward (Eq. 11 of RLLD, arXiv 2412.19563), whatever the agent is paid: curves
    of agents with other rewards can be compared.

    Args:
        report: what to call.
        num_videos: videos of a batch, which end together.
        scores: entries of info that the row takes over.
        inter_factor: what the paper's reward has per unit of inter-reward and step.
        terminal_scale: what it has per percent of validation F-score.
    """

    def __init__(
        self,
        report: ReportEpisode,
        num_videos: int,
        scores: Sequence[str],
        *,
        inter_factor: float,
        terminal_scale: float,
    ) -> None:
        super().__init__()
        self._report = report
        self._num_videos = num_videos
        self._scores = tuple(scores)
        self._inter_factor = inter_factor
        self._terminal_scale = terminal_scale
        self._return = 0.0
        self._removed = 0
        self._steps = 0

    def _on_step(self) -> bool:
        infos = self.locals["infos"]
        self._steps += 1
        inter_reward = sum(float(info["inter_reward"]) for info in infos) / len(infos)
        self._return += self._inter_factor * inter_reward
        if "segment_audio" in infos[0]:
            self._return += self._terminal_scale * sum(float(infos[0][name]) for name in PAID_SCORES) / 2
        self._removed += sum(int(info["n_removed_audio"] + info["n_removed_visual"]) for info in infos)
        if bool(self.locals["dones"][0]):
            row = {"steps": self.num_timesteps // self._num_videos, "return": self._return}
            row["removed_per_step"] = self._removed / self._steps
            self._report(row | {name: float(infos[0][name]) for name in self._scores if name in infos[0]})
            self._return, self._removed, self._steps = 0.0, 0, 0
        return True
