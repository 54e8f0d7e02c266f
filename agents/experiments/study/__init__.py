"""Cells of a study, and what runs them side by side."""
