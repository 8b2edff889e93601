"""The sampler inside the measured process."""
