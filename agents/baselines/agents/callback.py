"""Reports episodes of the per-video environment while Stable-Baselines3 learns on it."""

from collections.abc import Sequence

from stable_baselines3.common.callbacks import BaseCallback

from rlld_agents.baselines.agents.protocol import ReportEpisode


class EpisodeCallback(BaseCallback):
    """Calls a report at the end of every episode of the batch, as `EpisodeReports` does.

    Args:
        report: what to call.
        num_videos: videos of a batch, which end together.
        scores: entries of info that the row takes over.
    """

    def __init__(self, report: ReportEpisode, num_videos: int, scores: Sequence[str]) -> None:
        super().__init__()
        self._report = report
        self._num_videos = num_videos
        self._scores = tuple(scores)
        self._return = 0.0
        self._removed = 0
        self._steps = 0

    def _on_step(self) -> bool:
        infos = self.locals["infos"]
        self._steps += 1
        self._return += float(self.locals["rewards"].mean())
        self._removed += sum(int(info["n_removed_audio"] + info["n_removed_visual"]) for info in infos)
        if bool(self.locals["dones"][0]):
            row = {"steps": self.num_timesteps // self._num_videos, "return": self._return}
            row["removed_per_step"] = self._removed / self._steps
            self._report(row | {name: float(infos[0][name]) for name in self._scores if name in infos[0]})
            self._return, self._removed, self._steps = 0.0, 0, 0
        return True
