"""Agents as denoisers: they learn by acting on the environment, then act once on every training video."""

from rlld_agents.baselines.agents.protocol import Agent, Task

__all__ = ["Agent", "Task"]
