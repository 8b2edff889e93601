"""Data files as Parquet: one folder for each, partitioned by repository, commit and shard; writer and reader."""
