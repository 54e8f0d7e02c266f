"""Checks of `benchmarks/device_check.py`, a file for each question."""
