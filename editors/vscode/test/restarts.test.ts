import assert from "node:assert/strict";
import { test } from "node:test";

import { Restarts } from "../src/service/restarts";

test("a service that ends again and again is started less and less often, and it is said once", () => {
  const restarts = new Restarts();
  const found = Array.from({ length: 6 }, (_, second) => restarts.next(1000 * second));
  assert.deepEqual(
    found.map(({ waitMs }) => waitMs),
    [500, 2000, 8000, 32_000, 60_000, 60_000],
  );
  assert.deepEqual(
    found.map(({ isToBeSaid }) => isToBeSaid),
    [false, false, true, false, false, false],
  );
  restarts.forget();
  assert.equal(restarts.next(7000).waitMs, 500);
  assert.equal(restarts.next(7000 + 3_600_000).waitMs, 500); // one end an hour later begins anew
});
