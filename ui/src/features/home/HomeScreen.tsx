import { Screen } from "@/parts/Screen.tsx";

export function HomeScreen() {
  return <Screen title="Home" />;
}
