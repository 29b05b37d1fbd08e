/**
 * Orders of a table: a list of columns, each rising or falling.
 *
 * Leaves to others: sorting, which the server does.
 */

export interface Order {
  readonly id: string;
  readonly falling: boolean;
}

/** Orders as the server takes them. */
export function orderTexts(orders: readonly Order[]): string[] {
  return orders.map((order) => `${order.id} ${order.falling ? "DESC" : "ASC"}`);
}

/**
 * The orders after a header was clicked: rising, falling, none, in turn. With `add` the others
 * stay and the column joins them last.
 */
export function nextOrders(orders: readonly Order[], id: string, add: boolean): Order[] {
  const now = orders.find((order) => order.id === id);
  const next =
    now === undefined ? { id, falling: false } : now.falling ? null : { id, falling: true };
  if (!add) return next === null ? [] : [next];
  if (now === undefined) return [...orders, { id, falling: false }];
  return orders.flatMap((order) => (order.id === id ? (next === null ? [] : [next]) : [order]));
}
