"""What `footfall run` puts on the PYTHONPATH of a Python that has no footfall: nothing but a start hook."""
