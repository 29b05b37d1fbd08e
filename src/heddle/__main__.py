"""``python -m heddle`` is the command line."""

import sys

from heddle.cli import main

sys.exit(main())
