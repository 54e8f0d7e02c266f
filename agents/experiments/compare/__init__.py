"""``rlld compare``: agents of several libraries and controls on one data set, one budget, several seeds."""
