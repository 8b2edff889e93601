"""Stacks: the sampler inside the measured process."""
