import { showFlame } from "./flame/page";
import { showOverview } from "./overview";
import { showSource } from "./source";
import { showTests } from "./tests";

const VIEWS: Record<string, () => void> = {
  overview: showOverview,
  source: showSource,
  flame: showFlame,
  tests: showTests,
};

VIEWS[document.body.dataset.page ?? ""]?.();
