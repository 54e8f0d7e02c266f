"""Audio-visual video parsing: task networks, losses, training recipes and F-scores."""

from rlld_gym.parsing.epochs import TrainedParser
from rlld_gym.parsing.metrics import SCORE_NAMES, ParsingScores, parsing_scores
from rlld_gym.parsing.prediction import evaluate, predict
from rlld_gym.parsing.recipes import RECIPES, Recipe, get_recipe
from rlld_gym.parsing.stacked_training import train_parsers
from rlld_gym.parsing.training import train_parser

__all__ = [
    "RECIPES",
    "SCORE_NAMES",
    "ParsingScores",
    "Recipe",
    "TrainedParser",
    "evaluate",
    "get_recipe",
    "parsing_scores",
    "predict",
    "train_parser",
    "train_parsers",
]
