/** Mounts the page. */
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { followWorkspace } from "./api/events.ts";
import { Providers } from "./app/Providers.tsx";
import { queries } from "./app/queries.ts";
import { addressedWorkspace } from "./lib/workspace.ts";
import "./app/page.css";

const root = document.getElementById("root");
if (root) {
  followWorkspace(queries, addressedWorkspace());
  createRoot(root).render(
    <StrictMode>
      <Providers />
    </StrictMode>,
  );
}
