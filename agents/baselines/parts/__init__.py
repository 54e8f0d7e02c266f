"""What several denoisers share."""
