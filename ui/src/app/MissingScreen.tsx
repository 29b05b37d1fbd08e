/** An address that leads nowhere. */
import { EmptyState } from "@/parts/EmptyState.tsx";
import { RouteLink } from "@/parts/RouteLink.tsx";
import { Screen } from "@/parts/Screen.tsx";

export function MissingScreen() {
  return (
    <Screen title="Not found">
      <EmptyState title="There is nothing at this address">
        It may have been renamed or deleted. <RouteLink to="/">Go to Home</RouteLink>
      </EmptyState>
    </Screen>
  );
}
