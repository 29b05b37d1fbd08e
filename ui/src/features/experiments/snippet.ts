/** Code that logs the first run of an experiment, with the right address and names in it. */

export function snippetOf(address: string, workspace: string, experiment: string): string {
  const chosen =
    workspace === "default" ? "" : `mlflow.set_workspace(${JSON.stringify(workspace)})\n`;
  return `import mlflow

mlflow.set_tracking_uri(${JSON.stringify(address)})
${chosen}mlflow.set_experiment(${JSON.stringify(experiment)})

with mlflow.start_run(run_name="first"):
    mlflow.log_param("depth", 6)
    for step in range(100):
        mlflow.log_metric("loss", 1 / (step + 1), step=step)
`;
}
