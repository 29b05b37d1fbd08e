/** A screen that could not be drawn: what failed, and a way on. */
import type { ErrorComponentProps } from "@tanstack/react-router";
import { ErrorView } from "@/parts/ErrorView.tsx";
import { Screen } from "@/parts/Screen.tsx";

export function CrashScreen({ error, reset }: ErrorComponentProps) {
  return (
    <Screen title="Something failed">
      <ErrorView error={error} what="This screen could not be shown" onRetry={reset} />
    </Screen>
  );
}
