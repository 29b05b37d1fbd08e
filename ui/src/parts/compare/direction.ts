/**
 * Whether less of a metric is better: guessed from its name, changed by people, remembered.
 */
import { useSyncExternalStore } from "react";
import { remember, remembered } from "@/lib/memory.ts";

export type Direction = "lower" | "higher" | "none";

const LOWER =
  /(?:^|[^a-z])(?:loss|err|error|errors|rmse|mse|mae|mape|smape|rmsle|mdape|wape|mase|logloss|nll|perplexity|ppl|brier|hinge|deviance|divergence|kl|fid|wer|cer|fpr|fnr|latency|duration|time|seconds|ms|bytes|memory|size|aic|bic|distance|regret|misses|violations)(?:$|[^a-z])/;
const HIGHER =
  /(?:^|[^a-z])(?:acc|accuracy|auc|auroc|auprc|roc|f1|f2|fbeta|precision|recall|sensitivity|specificity|tpr|tnr|r2|score|map|ndcg|mrr|bleu|rouge|meteor|iou|dice|kappa|mcc|gini|reward|return|lift|coverage|throughput|hit|hits|correlation|psnr|ssim)(?:$|[^a-z])/;
const NAME = "directions";

let chosen = remembered<Readonly<Record<string, Direction>>>(NAME, {});
const listeners = new Set<() => void>();

/** What a metric's name tells. */
export function guessDirection(key: string): Direction {
  const words = key
    .replaceAll(/([a-z0-9])([A-Z])/g, "$1_$2")
    .replaceAll(/@\d+/g, "")
    .toLowerCase();
  if (LOWER.test(words)) return "lower";
  return HIGHER.test(words) ? "higher" : "none";
}

export function setDirection(key: string, direction: Direction): void {
  chosen = { ...chosen, [key]: direction };
  remember(NAME, chosen);
  for (const listener of listeners) listener();
}

/** Tells for any metric which way is better. */
export function useDirections(): (key: string) => Direction {
  const known = useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    () => chosen,
  );
  return (key) => known[key] ?? guessDirection(key);
}
