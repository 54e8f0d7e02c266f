"""What decides which labels to remove: the policies, their files, and applying one to a split."""
