"""Inside the measured process: engines that see what ran. Standard library and our own C only."""
