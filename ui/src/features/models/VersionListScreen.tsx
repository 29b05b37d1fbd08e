import { Screen } from "@/parts/Screen.tsx";

export function VersionListScreen() {
  return <Screen title="Versions" />;
}
