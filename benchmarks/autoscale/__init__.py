"""A day of the consumer's autoscaling, simulated: traffic, pods, late metrics and the HPA's algorithm."""
