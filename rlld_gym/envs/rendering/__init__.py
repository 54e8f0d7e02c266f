"""What an environment shows of its last step: as a table, or as a picture."""
