"""Amounts of money, exact to the cent: an integer of minor units and a currency."""

import re
from dataclasses import dataclass

_AMOUNT = re.compile(r"(?P<sign>[-+]?)(?P<whole>\d{1,3}(?:,\d{3})+|\d+)(?:\.(?P<cents>\d{1,2}))?\s*(?P<code>[A-Z]{3})")


class CurrencyMismatch(ValueError):
    """Two currencies met in one sum."""


@dataclass(frozen=True, slots=True, order=True)
class Money:
    """An amount in cents of one currency."""

    cents: int
    currency: str = "EUR"

    @classmethod
    def parse(cls, text: str) -> "Money":
        """Read `-1,234.50 EUR`. Raises ValueError for anything else."""
        found = _AMOUNT.fullmatch(text.strip())
        if found is None:
            raise ValueError(f"not an amount: {text!r}")
        cents = int(found["whole"].replace(",", "")) * 100
        if found["cents"]:
            cents += int(found["cents"].ljust(2, "0"))
        if found["sign"] == "-":
            cents = -cents
        return cls(cents, found["code"])

    def __str__(self) -> str:
        sign = "-" if self.cents < 0 else ""
        whole, cents = divmod(abs(self.cents), 100)
        return f"{sign}{whole:,}.{cents:02d} {self.currency}"

    def __add__(self, other: "Money") -> "Money":
        self._check(other)
        return Money(self.cents + other.cents, self.currency)

    def __sub__(self, other: "Money") -> "Money":
        self._check(other)
        return Money(self.cents - other.cents, self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.cents, self.currency)

    def __bool__(self) -> bool:
        return self.cents != 0

    def _check(self, other: "Money") -> None:
        if self.currency != other.currency:
            raise CurrencyMismatch(f"{self} and {other} do not add up")

    def split(self, weights: list[int]) -> list["Money"]:
        """Share the amount out by weights; the cents left over go to the first shares."""
        total = sum(weights)
        if total <= 0:
            raise ValueError("the weights must add up to more than nothing")
        shares = [self.cents * weight // total for weight in weights]
        left = self.cents - sum(shares)
        for i in range(left):
            shares[i % len(shares)] += 1
        return [Money(cents, self.currency) for cents in shares]

    def convert(self, rates: dict[str, float], currency: str) -> "Money":
        """Change into `currency` at `rates` (units of it for one of ours), half a cent rounding up."""
        if currency == self.currency:
            return self
        rate = rates.get(self.currency)
        if rate is None:
            raise CurrencyMismatch(f"no rate for {self.currency}")
        exact = self.cents * rate
        return Money(int(exact + 0.5) if exact >= 0 else -int(-exact + 0.5), currency)
