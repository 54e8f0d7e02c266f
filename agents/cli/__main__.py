"""``python -m rlld_agents.cli`` is the command ``rlld``."""

import sys

from . import main

sys.exit(main())
