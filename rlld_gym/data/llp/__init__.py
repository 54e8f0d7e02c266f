"""LLP's annotation files and the public npy layout."""
