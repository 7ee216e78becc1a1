"""The poller: it reads all carts of the shop at a fixed rate and publishes one event for each change."""
