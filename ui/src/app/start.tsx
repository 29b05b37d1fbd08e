/** Mounts the page. */
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { followWorkspace } from "@/api/events.ts";
import { addressedWorkspace } from "@/lib/addressed.ts";
import { Providers } from "./Providers.tsx";
import { queries } from "./queries.ts";
import { isAsking, screenAt } from "./screens.ts";

const { pathname, search } = window.location;
const screen = screenAt(pathname);
screen?.fetch().then(
  (code) => {
    if (isAsking(code)) code.askAhead(queries, screen.params, search);
  },
  // The router asks for it again, and says what failed.
  () => undefined,
);
const root = document.getElementById("root");
if (root) {
  followWorkspace(queries, addressedWorkspace());
  createRoot(root).render(
    <StrictMode>
      <Providers />
    </StrictMode>,
  );
}
