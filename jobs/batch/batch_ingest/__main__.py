"""Entry point of `python -m batch_ingest`."""

import sys

from batch_ingest.main import main

sys.exit(main())
