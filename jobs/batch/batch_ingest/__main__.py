"""Entry point of `python -m batch_ingest`."""

import sys

from dataplatform.frames import leave_out_frames

leave_out_frames()

from batch_ingest.main import main  # noqa: E402 - it imports Google's clients, which is what the line above is for

sys.exit(main())
