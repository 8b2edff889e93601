"""Sending profiles to servers: requests with retries, and a queue on disk for servers that do not answer."""
