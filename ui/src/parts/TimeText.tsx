/** A moment, said relatively and kept right as time goes by; the exact one on hover. */
import { useSyncExternalStore } from "react";
import { exactTime, timeAgo } from "@/lib/format.ts";
import { durationText } from "./table/cellText.ts";

/** A clock that tells all who listen, as long as anybody does. */
function clockOf(everyMs: number) {
  const listeners = new Set<() => void>();
  let now = Date.now();
  let timer: ReturnType<typeof setInterval> | undefined;
  return {
    read: () => now,
    subscribe: (listener: () => void) => {
      if (listeners.size === 0) {
        now = Date.now();
        timer = setInterval(() => {
          now = Date.now();
          for (const each of listeners) each();
        }, everyMs);
      }
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
        if (listeners.size === 0) clearInterval(timer);
      };
    },
  };
}

const slow = clockOf(20_000);
const quick = clockOf(1000);

/** The time of day, every now and then. */
export function useNow(): number {
  return useSyncExternalStore(slow.subscribe, slow.read);
}

/** How long something has been going on, counted as one looks. */
export function Elapsed({ since }: { since: number }) {
  const now = useSyncExternalStore(quick.subscribe, quick.read);
  return durationText(Math.floor(Math.max(0, now - since) / 1000) * 1000);
}

export function TimeText({ ms }: { ms: number }) {
  const shown = useNow();
  return (
    <time dateTime={new Date(ms).toISOString()} title={exactTime(ms)}>
      {timeAgo(ms, Math.max(shown, ms))}
    </time>
  );
}
