"""What is run: the main experiment, and studies of rows and seeds."""
