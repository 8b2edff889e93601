"""The engines that see what ran: `sys.monitoring` (in C), probes, and the interpreter's trace function."""
