"""Orders: lines, discounts, totals."""

from shop.catalog import Catalog, Product
from shop.log import note

BULK = 10


class Order:
    """What one customer buys."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.lines: list[tuple[Product, int]] = []

    def add(self, name: str, count: int) -> None:
        """Add a product by its name. Raises LookupError, ValueError."""
        if count <= 0:
            raise ValueError("an order line needs a count")
        product = self.catalog.find(name)
        note(f"{count} of {product.name}")
        self.lines.append((product, count))

    def total(self) -> int:
        """Return the price in cents, with a tenth off for ten or more of one product."""
        found = 0
        for product, count in self.lines:
            price = product.price * count
            if count >= BULK:
                price -= price // 10
            found += price
        return found

    def merge(self, other: "Order") -> None:
        """Take over another order's lines."""
        for product, count in other.lines:
            self.add(product.name, count)
