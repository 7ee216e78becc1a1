"""Entry point of `python -m carts_consumer`."""

import sys

from carts_consumer.main import main

sys.exit(main())
