"""Agents, policies and the command line for rlld_gym."""
