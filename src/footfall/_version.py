VERSION = "0.1.0"
WRITER = f"footfall {VERSION}"
"""As reports name what wrote them."""
