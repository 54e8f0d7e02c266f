"""Models that keep no log of their own."""

from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.logger import Logger


def log_nothing(model: BaseAlgorithm) -> None:
    """Give a model a logger without output.

    The one that ``learn`` would set up makes a folder ``SB3-...`` among the temporary files, and leaves it there
    though nothing is written to it.
    """
    model.set_logger(Logger(folder=None, output_formats=[]))
