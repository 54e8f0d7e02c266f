"""The importer's former place: `rlld_gym.data.llp.importer`."""

from rlld_gym.data.llp.importer import FeatureFilesError, FeatureFolders, import_store

__all__ = ["FeatureFilesError", "FeatureFolders", "import_store"]
