"""Task networks."""
