"""The catalogue, and finding things in it though they are misspelt."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Product:
    """Something on sale; the price is in cents."""

    name: str
    price: int


def distance(left: str, right: str) -> int:
    """How many letters must change to make one word the other (Levenshtein)."""
    previous = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        current = [i]
        for j, b in enumerate(right, 1):
            if a == b:
                current.append(previous[j - 1])
            else:
                current.append(1 + min(previous[j - 1], previous[j], current[j - 1]))
        previous = current
    return previous[-1]


class Catalog:
    """All products."""

    def __init__(self, products: list[Product]) -> None:
        self.products = products

    def find(self, name: str) -> Product:
        """Return the product whose name is nearest. Raises LookupError when none is near."""
        best = min(self.products, key=lambda product: distance(name.lower(), product.name.lower()))
        if distance(name.lower(), best.name.lower()) > len(name) // 2:
            raise LookupError(f"no product is called {name}")
        return best
