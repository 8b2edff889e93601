"""The probe compiler: where probes go in a module's syntax tree, and what each one means.

Pure: the measured process inserts probes with it, and the analysis numbers them again to learn what each one reports.
"""
