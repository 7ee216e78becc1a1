"""Entry point of `python -m carts_poller.push`."""

import sys

from carts_poller.push.main import main

sys.exit(main())
