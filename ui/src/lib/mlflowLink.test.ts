import { expect, test } from "vitest";
import { addressOfLink } from "./mlflowLink.ts";

test("links that clients print lead to our screens", () => {
  for (const [link, address] of [
    ["/experiments/7", "/w/default/experiments/7"],
    ["/experiments/7?workspace=team-a", "/w/team-a/experiments/7"],
    ["/experiments/7/runs/abc", "/w/default/runs/abc"],
    ["/experiments/7/runs/abc/artifacts?workspace=team-a", "/w/team-a/runs/abc"],
    ["/experiments/7/models/m-1", "/w/default/logged-models/m-1"],
    ["/models/a%20b/versions/3", "/w/default/models/a%20b/versions/3"],
    ["#/models/a%20b", "/w/default/models/a%20b"],
    ["/models", "/w/default"],
  ] as const) {
    expect(addressOfLink(link)).toBe(address);
  }
  for (const other of ["", "main", "/", "/settings"]) {
    expect(addressOfLink(other)).toBeUndefined();
  }
});
