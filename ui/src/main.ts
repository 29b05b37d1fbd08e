/** Fetches the page, and beside it the code of the screen that is asked for. */
import "./app/page.css";
import { screenAt } from "./app/screens.ts";

const { pathname, search } = window.location;
void import("./app/start.tsx");
void screenAt(pathname)?.fetch();
// A link that chooses rows has what draws them fetched at once.
if (new URLSearchParams(search).has("rows")) void import("./parts/chart/ChartGrid.tsx");
