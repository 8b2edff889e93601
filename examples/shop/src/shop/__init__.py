"""A small shop: a catalogue, prices and orders."""
