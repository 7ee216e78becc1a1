"""`python -m localcloud`: see `cli`."""

import os
import sys

if __name__ == "__main__":
    # Probes of servers that are still starting are expected to fail; gRPC's core would log each.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")

    from localcloud.cli import main

    sys.exit(main())
