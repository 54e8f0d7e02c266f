"""What several task networks are built of, or one of them in a file of its own."""
