import { Screen } from "@/parts/Screen.tsx";

export function WorkspacesScreen() {
  return <Screen title="Workspaces" />;
}
