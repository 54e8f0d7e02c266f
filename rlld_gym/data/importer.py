"""The importer's former place: `rlld_gym.data.llp.importer`."""

from rlld_gym.data.llp.importer import FeatureFilesError, import_store
from rlld_gym.data.llp.npy_layout import FeatureFolders

__all__ = ["FeatureFilesError", "FeatureFolders", "import_store"]
