/** What every screen needs around it: theme, query cache, notices, commands, router. */
import { FluentProvider } from "@fluentui/react-components";
import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { useShownLook } from "@/lib/look.ts";
import { queries } from "./queries.ts";
import { router } from "./router.tsx";
import { THEMES } from "./theme.ts";

export function Providers() {
  const look = useShownLook();
  return (
    <FluentProvider theme={THEMES[look]}>
      <QueryClientProvider client={queries}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </FluentProvider>
  );
}
