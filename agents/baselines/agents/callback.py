"""Reports episodes of the per-video environment while Stable-Baselines3 learns on it."""

from stable_baselines3.common.callbacks import BaseCallback

from rlld_agents.baselines.agents.episode_sums import EpisodeSums
from rlld_agents.baselines.agents.protocol import Task


class EpisodeCallback(BaseCallback):
    """Calls a task's report at the end of every episode of the batch, as `EpisodeReports` does.

    Args:
        task: what is learned on.
        num_videos: videos of a batch, which end together.
    """

    def __init__(self, task: Task, num_videos: int) -> None:
        super().__init__()
        self._report = task.report
        self._sums = EpisodeSums(task.environment)
        self._num_videos = num_videos

    def _on_step(self) -> bool:
        infos = self.locals["infos"]
        inter_reward = sum(float(info["inter_reward"]) for info in infos) / len(infos)
        removed = sum(int(info["n_removed_audio"] + info["n_removed_visual"]) for info in infos)
        self._sums.add(1, inter_reward, removed, infos[0])
        if bool(self.locals["dones"][0]):
            self._report(self._sums.row(self.num_timesteps // self._num_videos, infos[0]))
            self._sums.restart()
        return True
