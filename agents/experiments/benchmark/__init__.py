"""``rlld benchmark``: label denoisers against each other and against the controls."""
