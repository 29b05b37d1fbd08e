import { Screen } from "@/parts/Screen.tsx";

export function ExperimentScreen() {
  return <Screen title="Experiment" />;
}
