import { Screen } from "@/parts/Screen.tsx";

export function CompareScreen() {
  return <Screen title="Compare" />;
}
