VERSION = "0.1.0"
WRITER = f"footfall {VERSION}"
"""How reports name the tool that wrote them."""
