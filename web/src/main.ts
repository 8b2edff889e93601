import { showFlame } from "./flame/page";
import { showOverview } from "./overview";
import { isPacked, unpackPayload } from "./payload";
import { showSource } from "./source";
import { showTests } from "./tests";

const VIEWS: Record<string, () => void> = {
  overview: showOverview,
  source: showSource,
  flame: showFlame,
  tests: showTests,
};

const show = VIEWS[document.body.dataset.page ?? ""];
if (show && isPacked()) void unpackPayload().then(show, sayWhyEmpty);
else show?.();

/** Browsers older than 2023 may be unable to unpack it. */
function sayWhyEmpty(error: unknown): void {
  document.getElementById("app")?.append(`This page's data can't be unpacked: ${String(error)}`);
}
