"""The service for editors and scripts: what a data file says, by JSON-RPC or by `footfall query`."""
