"""Tables, figures and statistics of results, and the published rows."""
