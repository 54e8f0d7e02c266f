"""The command line ``rlld``."""
