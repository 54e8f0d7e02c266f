"""``python -m rlld_agents`` is the command ``rlld``."""

import sys

from rlld_agents.cli import main

sys.exit(main())
