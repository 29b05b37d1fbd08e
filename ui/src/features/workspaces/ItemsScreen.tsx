import { Screen } from "@/parts/Screen.tsx";

export function ItemsScreen() {
  return <Screen title="Items" />;
}
