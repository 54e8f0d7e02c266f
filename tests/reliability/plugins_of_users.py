"""Code as users write it, with one mistake each; named as "tests.reliability.plugins_of_users:NAME"."""

import os
import sys

import torch
from torch import nn

from rlld_agents.baselines import Context, Denoised
from rlld_agents.baselines.base import weak_labels
from rlld_gym.parsing.networks import ParsingOutput, TaskNetwork


def reward_nan(result):
    """Pays nothing that is a number."""
    return result.per_video_reward * float("nan")


def reward_complex(result):
    """Pays complex numbers."""
    return result.per_video_reward * 1j


def reward_that_exits(result):
    """Ends the program."""
    sys.exit(0)


class Parser(TaskNetwork):
    """A parser without a mistake; those below differ in what they return."""

    def __init__(self, audio_size, visual_2d_size, visual_3d_size, num_classes, hidden_size):
        super().__init__()
        self.audio = nn.Linear(audio_size, num_classes)
        self.visual = nn.Linear(visual_2d_size + visual_3d_size, num_classes)

    def encode(self, audio, visual_2d, visual_3d, cross_attention=True):
        visual_2d = visual_2d.unflatten(1, (audio.shape[1], -1)).mean(2)
        return self.audio(audio), self.visual(torch.cat((visual_2d, visual_3d), -1))

    def head(self, audio_sequence, visual_sequence):
        logits = torch.stack((audio_sequence, visual_sequence), 2)
        return self.output(torch.sigmoid(logits), logits)

    def output(self, segment, logits):
        return ParsingOutput(segment.mean((1, 2)), *segment.mean(1).unbind(1), segment)


class Tuple(Parser):
    def output(self, segment, logits):
        return tuple(super().output(segment, logits))


class Turned(Parser):
    def output(self, segment, logits):
        return super().output(segment, logits)._replace(segment=segment.transpose(1, 2))


class NotANumber(Parser):
    def output(self, segment, logits):
        return super().output(segment * float("nan"), logits)


class Logits(Parser):
    def output(self, segment, logits):
        return super().output(10 * logits, logits)


class Detached(Parser):
    def output(self, segment, logits):
        return super().output(segment.detach(), logits)


class Frozen(Parser):
    def __init__(self, **sizes):
        super().__init__(**sizes)
        self.requires_grad_(False)


class Keeps:
    """A denoiser that removes nothing; those below do something beside."""

    name = "mine"

    def denoise(self, context: Context) -> Denoised:
        self.act(context)
        labels = weak_labels(context)
        return Denoised(labels, labels)

    def act(self, context):
        """Do nothing."""


class Exits(Keeps):
    def act(self, context):
        sys.exit(0)


class Moves(Keeps):
    def act(self, context):
        os.chdir("/")


class Changes(Keeps):
    def act(self, context):
        context.data["train"].labels.zero_()


class Number(Keeps):
    def denoise(self, context):
        labels = weak_labels(context)
        return Denoised(labels, labels, validation_labels=3)  # type: ignore[arg-type]
