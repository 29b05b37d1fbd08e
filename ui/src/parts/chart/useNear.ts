/** Whether an element has come near the window, so that nothing is asked for before it can be seen. */
import { type RefObject, useEffect, useState } from "react";

const NEAR = "400px";

/** Whether the element has been within `NEAR` of the window once. */
export function useNear(element: RefObject<HTMLElement | null>): boolean {
  const [isNear, setNear] = useState(false);
  useEffect(() => {
    const found = element.current;
    if (!found || isNear) return;
    const observer = new IntersectionObserver(
      (entries) => {
        if (entries.some((entry) => entry.isIntersecting)) setNear(true);
      },
      { rootMargin: NEAR },
    );
    observer.observe(found);
    return () => observer.disconnect();
  }, [element, isNear]);
  return isNear;
}
