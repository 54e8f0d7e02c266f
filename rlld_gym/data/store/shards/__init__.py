"""Stores in several files: a folder of shards and an index."""
