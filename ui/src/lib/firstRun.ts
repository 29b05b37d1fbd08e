/** The snippet that logs a first run, filled in for this server and workspace. */

export function firstRun(address: string, workspace: string): string {
  const chosen =
    workspace === "default" ? "" : `mlflow.set_workspace(${JSON.stringify(workspace)})\n`;
  return `import mlflow

mlflow.set_tracking_uri(${JSON.stringify(address)})
${chosen}mlflow.set_experiment("first-steps")

with mlflow.start_run(run_name="hello"):
    mlflow.log_params({"n_estimators": 100, "max_depth": 6})
    for step in range(20):
        mlflow.log_metric("loss", 1 / (step + 1), step=step)
`;
}
