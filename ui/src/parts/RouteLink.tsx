/** Links of the page's own addresses, with Fluent's look. */
import { Link as FluentLink } from "@fluentui/react-components";
import { createLink } from "@tanstack/react-router";
import type { AnchorHTMLAttributes, Ref } from "react";
import { fluentRef } from "@/lib/fluentRef.ts";

type AnchorProps = AnchorHTMLAttributes<HTMLAnchorElement> & {
  ref?: Ref<HTMLAnchorElement> | undefined;
  appearance?: "default" | "subtle";
  inline?: boolean;
};

function Anchor({ ref, ...props }: AnchorProps) {
  // Fluent's union of button and anchor cannot be told apart from spread attributes.
  const given = props as object;
  return <FluentLink {...given} as="a" ref={fluentRef(ref)} />;
}

/** A link to a screen: `<RouteLink to="/w/$workspace" params={{ workspace }}>`. */
export const RouteLink = createLink(Anchor);
