"""Messages as nobody should send them, and what must become of each.

`mutations` makes them from a seed, `generated` by hypothesis; `oracle` judges their bytes by the contract.
"""
