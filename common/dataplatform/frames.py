"""Google's clients without the libraries for data frames, which no program of the platform uses."""

import sys

#: What Google's BigQuery clients import wherever it is installed, to turn rows into frames.
LIBRARIES = ("pandas", "pyarrow", "numpy")


def leave_out_frames() -> None:
    """Let no later import of this process find a library for data frames.

    The images of the services have none of them. A development environment has all, for dbt and the BigQuery emulator,
    and there a program starts a third quicker without them. It is for the first line of a program, not for a library:
    it holds for the whole process. What has been imported before stays.
    """
    for name in LIBRARIES:
        # None is what the import system documents for a module that must not be found.
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]  # the type says nothing of None
