"""The push service: takes signed carts over HTTP and publishes them for the poller, which makes events of them."""
