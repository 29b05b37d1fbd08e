import { Screen } from "@/parts/Screen.tsx";

export function RunScreen() {
  return <Screen title="Run" />;
}
