"""What blocks newly execute, for `footfall.capture()`."""
