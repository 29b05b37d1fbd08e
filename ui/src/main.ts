/** Fetches the page, and beside it the code of the screen that is asked for and the changes to come. */
import "./app/page.css";
import { openEarly } from "@/api/stream.ts";
import { addressedWorkspace } from "@/lib/addressed.ts";
import { screenAt } from "./app/screens.ts";

const { pathname, search } = window.location;
openEarly(addressedWorkspace());
import("./app/start.tsx").catch(sayUnfetched);
// What fails here fails for the router or the pane too, which say so.
screenAt(pathname)
  ?.fetch()
  .catch(() => undefined);
// A link that chooses rows has what draws them fetched at once.
if (new URLSearchParams(search).has("rows")) {
  import("./parts/chart/ChartGrid.tsx").catch(() => undefined);
}

/** Instead of an empty window: there is no page yet that could say it. */
function sayUnfetched(failure: unknown): void {
  const root = document.getElementById("root");
  if (!root || root.hasChildNodes()) return;
  const words = document.createElement("p");
  words.textContent =
    "The page could not be fetched whole from the server. Load it again; if it stays so, look whether Heddle is running.";
  const reason = document.createElement("p");
  reason.textContent = failure instanceof Error ? failure.message : String(failure);
  const again = document.createElement("button");
  again.textContent = "Load again";
  again.addEventListener("click", () => window.location.reload());
  const box = document.createElement("main");
  box.role = "alert";
  box.append(words, reason, again);
  root.append(box);
}
