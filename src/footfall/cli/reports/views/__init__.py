"""What `footfall report` shows instead of its table: the profile (--by) and what changed (--diff)."""
