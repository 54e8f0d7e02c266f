"""``rlld benchmark``: label denoisers against each other and against controls, with the same evaluator."""
