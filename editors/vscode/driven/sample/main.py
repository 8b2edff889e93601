"""Works as much in each run, whatever else the machine does, to be profiled."""

import shop

if sum(shop.squares(2000) for _ in range(4000)) < 0:
    print("less than nothing")
