"""`footfall lake`: the data of many runs as Parquet, and questions about all of them."""
