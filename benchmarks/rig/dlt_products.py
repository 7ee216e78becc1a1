"""The same job as people would do it with dlt: `GET /products` to JSON lines, gzip'd, in a folder.

    python benchmarks/rig/dlt_products.py URL RECORDS FOLDER

Runs in an environment of its own that has dlt[filesystem]; the platform does not depend on it. The whole list is one
answer, as the shop sends it. Writes one line of JSON.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Iterator
from typing import Any

import dlt  # type: ignore[import-not-found]  # it is installed beside the platform, not with it
from dlt.sources.helpers import requests  # type: ignore[import-not-found]  # likewise

if __name__ == "__main__":
    url, records, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    os.environ["DESTINATION__FILESYSTEM__BUCKET_URL"] = folder
    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"

    @dlt.resource(name="products", write_disposition="replace", max_table_nesting=0)  # type: ignore[untyped-decorator]  # likewise
    def products() -> Iterator[Any]:
        """Yield the shop's products."""
        yield requests.get(url, headers={"User-Agent": "benchmark"}, timeout=600).json()

    cpu, began = time.process_time(), time.monotonic()
    pipeline = dlt.pipeline("products", destination="filesystem", dataset_name="shop", pipelines_dir=f"{folder}/state")
    pipeline.run(products(), loader_file_format="jsonl")
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    sys.stdout.write(
        json.dumps(
            {
                "records": records,
                "seconds": time.monotonic() - began,
                "cpu_seconds": time.process_time() - cpu + children.ru_utime + children.ru_stime,
                "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            }
        )
        + "\n"
    )
