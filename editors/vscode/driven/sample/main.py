"""Works for a moment, to be profiled."""

import shop

if shop.busy(0.5) < 0:
    print("less than nothing")
