"""Audio-visual video parsing: task networks, losses, training recipes and F-scores."""
