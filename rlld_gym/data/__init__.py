"""Data sets: LLP annotations, feature stores and the synthetic twin."""
