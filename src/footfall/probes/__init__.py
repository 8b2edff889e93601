"""The probe compiler: where probes go in a module's syntax tree, and what each one means.

Pure: the measured process inserts probes by it, and analysis numbers them again to know what each one reports.
"""
