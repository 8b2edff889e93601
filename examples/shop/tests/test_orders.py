"""Orders of every size."""

import pytest

from shop.catalog import Catalog, Product
from shop.orders import Order

NAMES = [
    f"{kind} {thing}"
    for kind in ("blue", "green", "yellow", "striped", "wooden", "little", "enormous", "second-hand")
    for thing in ("bicycle", "umbrella", "lampshade", "typewriter", "armchair", "barometer")
]


@pytest.fixture
def catalog():
    return Catalog([Product(name, 100 + 7 * i) for i, name in enumerate(NAMES)])


@pytest.mark.parametrize("name", NAMES)
def test_a_product_is_found_though_misspelt(catalog, name):
    for i in range(len(name)):
        assert catalog.find(name[:i] + "x" + name[i + 1 :]).name == name
        assert catalog.find(name[:i] + name[i + 1 :]).name == name
    order = Order(catalog)
    order.add(name.upper(), 1)
    assert order.lines[0][0].name == name


@pytest.mark.parametrize("count", [1, 9, 10, 250])
def test_ten_of_a_product_are_cheaper(catalog, count):
    order = Order(catalog)
    order.add("blue bicycle", count)
    assert order.total() == 100 * count - (10 * count if count >= 10 else 0)


def test_what_is_not_sold(catalog):
    with pytest.raises(LookupError):
        Order(catalog).add("submarine", 1)


def test_a_line_needs_a_count(catalog):
    with pytest.raises(ValueError, match="count"):
        Order(catalog).add("blue bicycle", 0)
