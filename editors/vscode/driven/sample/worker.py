"""Works until it is ended, to be attached to."""

import shop

while True:
    shop.busy(0.2)
