"""What `footfall report` shows in place of its table: the profile (--by) and what changed (--diff)."""
