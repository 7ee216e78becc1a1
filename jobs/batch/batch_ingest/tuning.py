"""How the interpreter collects garbage, set for many small objects that live shortly."""

import gc


def tune() -> None:
    """Set the process up for its work; call it once, after the imports and the set-up."""
    # Records hold no cycles: collecting them every 2,000 allocations costs a quarter of the time.
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
