"""Quarantine and dead letters by hand: look at them, publish them again, discard them."""
