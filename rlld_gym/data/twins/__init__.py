"""Synthetic twins of LLP."""
