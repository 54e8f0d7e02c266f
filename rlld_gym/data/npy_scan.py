"""The former place of what looks at npy files before they are read: `rlld_gym.data.llp.npy_scan`."""

from rlld_gym.data.llp.npy_scan import FileProblem

__all__ = ["FileProblem"]
