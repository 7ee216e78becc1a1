"""Reconciles the shop with raw zone, raw tables and marts: the platform's own proof that nothing is lost or doubled."""
