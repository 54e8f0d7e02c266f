"""Training recipes of the published systems, as data: as they were published, and for small widths."""
