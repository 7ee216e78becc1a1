"""Entry point of `python -m dbt_job`."""

import sys

from dbt_job.main import main

sys.exit(main())
