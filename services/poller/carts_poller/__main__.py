"""Entry point of `python -m carts_poller`."""

import sys

from carts_poller.main import main

sys.exit(main())
