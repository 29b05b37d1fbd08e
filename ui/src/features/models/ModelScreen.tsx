import { Screen } from "@/parts/Screen.tsx";

export function ModelScreen() {
  return <Screen title="Model" />;
}
