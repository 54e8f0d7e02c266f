"""Label sets, their files, and how good removals are."""
