/** A moment, said relatively and kept right as time goes by; the exact one on hover. */
import { useSyncExternalStore } from "react";
import { exactTime, timeAgo } from "@/lib/format.ts";

const EVERY_MS = 20_000;
const listeners = new Set<() => void>();
let now = Date.now();
let timer: ReturnType<typeof setInterval> | undefined;

function subscribe(listener: () => void): () => void {
  if (listeners.size === 0) {
    now = Date.now();
    timer = setInterval(() => {
      now = Date.now();
      for (const each of listeners) each();
    }, EVERY_MS);
  }
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) clearInterval(timer);
  };
}

/** The time of day, every now and then. */
export function useNow(): number {
  return useSyncExternalStore(subscribe, () => now);
}

export function TimeText({ ms }: { ms: number }) {
  const shown = useNow();
  return (
    <time dateTime={new Date(ms).toISOString()} title={exactTime(ms)}>
      {timeAgo(ms, Math.max(shown, ms))}
    </time>
  );
}
