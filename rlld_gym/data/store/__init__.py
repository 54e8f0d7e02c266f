"""Feature stores: one HDF5 file for a data set."""
