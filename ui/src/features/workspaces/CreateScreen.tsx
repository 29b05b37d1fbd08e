import { Screen } from "@/parts/Screen.tsx";

export function CreateScreen() {
  return <Screen title="Create" />;
}
