"""A stand-in for the FakeStore API: the real records, any number of generated ones, faults on demand.

`python -m localcloud.fakestore --port 0` serves it; `localcloud.fakestore.client` drives it from tests.
"""
