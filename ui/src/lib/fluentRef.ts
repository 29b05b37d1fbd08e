/**
 * Refs for Fluent's components.
 *
 * Fluent infers the element of a ref from its props in a way that `exactOptionalPropertyTypes`
 * defeats: all are typed as refs to nothing. What they point to is what the component renders.
 */
import type { Ref } from "react";

export function fluentRef<T>(ref: Ref<T> | undefined): Ref<never> {
  return (ref ?? null) as Ref<never>;
}
