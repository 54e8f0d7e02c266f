"""A run as one HTML page that opens from a folder, without a network: tables, curves, classes, and every video."""
