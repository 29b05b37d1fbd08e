/**
 * The links that MLflow's clients print when a run ends (`/#/experiments/1/runs/...`), as addresses
 * of our own screens. Their names stand after the `#`, where no server sees them.
 */

const SCREENS: [RegExp, string][] = [
  [/^experiments\/[^/]+\/runs\/([^/]+)/, "runs/"],
  [/^experiments\/[^/]+\/models\/([^/]+)/, "logged-models/"],
  [/^experiments\/([^/]+)/, "experiments/"],
  [/^models\/([^/]+\/versions\/[^/]+)/, "models/"],
  [/^models\/([^/]+)/, "models/"],
  [/^models/, ""],
];

/** Our address of what stands after the `#`; nothing if that is no such link. */
export function addressOfLink(hash: string): string | undefined {
  const [path = "", query = ""] = hash.replace(/^#?\//, "").split("?");
  for (const [shape, screen] of SCREENS) {
    const found = shape.exec(path);
    if (found) {
      const workspace = new URLSearchParams(query).get("workspace") ?? "default";
      const place = `/w/${encodeURIComponent(workspace)}`;
      return found[1] ? `${place}/${screen}${found[1]}` : place;
    }
  }
  return undefined;
}
