"""Environments under any sequence of calls, legal and illegal, against a simple model.

The model: what an environment shows follows from its seed and the actions since; what is refused changes nothing.
So each environment is compared with one that repeats its history from the beginning, alone and without detours.
The long form: RLLD_LONG=1 pytest tests/reliability/test_environment_machine.py
"""

import os
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.envs.rollouts import make
from tests.reliability.test_torch_settings import same

LONG = bool(os.environ.get("RLLD_LONG"))
VARIANTS = (
    {"render_mode": "ansi"},
    {"task_lifespan": "run", "overlap_labels": "revised", "observation": "indices"},
    {"task_start": "fresh", "terminal_every": 2, "evidence": "current"},
)
WHICH = st.integers(0, 1)


def bits(env, number):
    """Return the legal action of a number."""
    return np.random.default_rng(number).integers(0, 2, env.action_space.shape).astype(np.int8)


class History:
    """An environment and its history: a seed, then actions, or None for a reset without a seed."""

    def __init__(self, arguments):
        self.arguments = arguments
        self.env = make(**arguments)
        self.seed, self.moves, self.last, self.over = None, (), None, True

    def reset(self, seed):
        if seed is not None:
            self.seed, self.moves = seed, ()
        else:
            self.moves += (None,)
        self.last, self.over = self.env.reset(seed=seed), False

    def step(self, number):
        self.last = self.env.step(bits(self.env, number))
        self.moves, self.over = (*self.moves, number), self.last[2]

    def copy_to(self, other):
        """Give another environment of the same arguments this one's state."""
        shown = other.env.unwrapped.set_state(self.env.unwrapped.get_state())
        assert same(shown[0], self.last[0])
        other.seed, other.moves, other.last, other.over = self.seed, self.moves, self.last, self.over

    def repeated(self):
        """Return what a new environment shows at the end of the same history."""
        env = make(**self.arguments)
        last = env.reset(seed=self.seed)
        for move in self.moves:
            last = env.reset() if move is None else env.step(bits(env, move))
        return last


class Environments(RuleBasedStateMachine):
    @initialize(variant=st.sampled_from(VARIANTS), seeds=st.tuples(st.integers(0, 3), st.integers(0, 3)))
    def begin(self, variant, seeds):
        self.both = [History(variant), History(variant)]
        for history, seed in zip(self.both, seeds, strict=True):
            with pytest.raises(ResetNeeded):
                history.env.step(bits(history.env, 0))
            history.reset(seed)

    @rule(which=WHICH, seed=st.none() | st.integers(0, 3))
    def reset(self, which, seed):
        self.both[which].reset(seed)

    @rule(which=WHICH, number=st.integers(0, 5))
    def step(self, which, number):
        history = self.both[which]
        if history.over:
            with pytest.raises(ResetNeeded):
                history.env.step(bits(history.env, number))
        else:
            history.step(number)

    @rule(number=st.integers(0, 5))
    def step_in_threads(self, number):
        running = [history for history in self.both if not history.over]
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda history: history.step(number), running))

    @rule(which=WHICH, kind=st.sampled_from(("shape", "value", "nan", "text", "none")))
    def illegal_action(self, which, kind):
        env = self.both[which].env
        action = {
            "shape": bits(env, 0)[1:],
            "value": bits(env, 0) + 2,
            "nan": np.full(env.action_space.shape, np.nan),
            "text": "remove",
            "none": None,
        }[kind]
        with pytest.raises((ValueError, TypeError, ResetNeeded)):
            env.step(action)

    @rule(which=WHICH, kind=st.sampled_from(("nothing", "format", "options")))
    def illegal_state(self, which, kind):
        env = self.both[which].env.unwrapped
        state = env.get_state()
        bad = {"nothing": None, "format": {**state, "format": 99}, "options": state}[kind]
        if kind == "options":
            state["process"]["config"]["batch_size"] += 1
        with pytest.raises(ValueError, match="state"):
            env.set_state(bad)

    @rule(which=WHICH)
    def copy_state(self, which):
        self.both[which].copy_to(self.both[1 - which])

    @rule(which=WHICH)
    def move_to_a_new_one(self, which):
        """Pickle the environment, whose copy has its arguments, and go on in the copy without a reset."""
        old = self.both[which]
        new = History(old.arguments)
        new.env = pickle.loads(pickle.dumps(old.env))
        old.copy_to(new)
        old.env.close()
        old.env.close()
        self.both[which] = new

    @precondition(lambda self: "render_mode" in self.both[0].arguments)
    @rule(which=WHICH)
    def render(self, which):
        assert isinstance(self.both[which].env.render(), str)

    @invariant()
    def each_is_alone(self):
        for history in getattr(self, "both", []):
            shown = history.env.unwrapped.get_state()["process"]["steps"]
            assert shown == 0 or history.moves

    def teardown(self):
        for history in getattr(self, "both", []):
            # After a reset the reward and the info of the step before are not there to compare.
            assert same(history.last[0], history.repeated()[0])
            assert same(history.last[-1], history.repeated()[-1])


TestEnvironments = Environments.TestCase
TestEnvironments.settings = settings(
    max_examples=300 if LONG else 5,
    stateful_step_count=40 if LONG else 10,
    deadline=None,
    derandomize=not LONG,
    suppress_health_check=list(HealthCheck),
)
