/** The theme's colours as a canvas can use them. */
import { type RefObject, useEffect, useState } from "react";
import { useShownLook } from "@/lib/look.ts";
import type { Look } from "./options/drawing.ts";

const WAIT_MS = 80;

/** Read from an element, again when theme or width change; null until it is there. */
export function useLook(element: RefObject<HTMLElement | null>): Look | null {
  const shown = useShownLook();
  const [look, setLook] = useState<Look | null>(null);
  useEffect(() => {
    const found = element.current;
    if (!found) return;
    const readLook = () => {
      const style = getComputedStyle(found);
      const token = (name: string) => style.getPropertyValue(`--${name}`).trim();
      const next: Look = {
        isDark: shown !== "light",
        text: token("colorNeutralForeground1"),
        faint: token("colorNeutralForeground3"),
        line: token("colorNeutralStroke2"),
        ground: token("colorNeutralBackground1"),
        font: style.fontFamily,
        width: Math.round(found.clientWidth / 40) * 40,
      };
      // The observer speaks once without a reason; a look that is another one draws everything anew.
      setLook((before) => (before && isSame(before, next) ? before : next));
    };
    let timer: ReturnType<typeof setTimeout> | undefined;
    // The theme's variables change with a class that is set after this effect.
    const frame = requestAnimationFrame(readLook);
    const observer = new ResizeObserver(() => {
      clearTimeout(timer);
      timer = setTimeout(readLook, WAIT_MS);
    });
    observer.observe(found);
    return () => {
      cancelAnimationFrame(frame);
      clearTimeout(timer);
      observer.disconnect();
    };
  }, [element, shown]);
  return look;
}

function isSame(one: Look, other: Look): boolean {
  return (Object.keys(one) as (keyof Look)[]).every((name) => one[name] === other[name]);
}
