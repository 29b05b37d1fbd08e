/**
 * Addresses and their screens, each loaded when it is first opened.
 *
 * Always holds: what stands after the question mark is plain text by name, so that addresses stay
 * readable and every screen decides itself what its words mean. What other addresses there are is
 * said to the server in `heddle/api/static.py`.
 */
import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  redirect,
} from "@tanstack/react-router";
import { addressOfLink } from "@/lib/mlflowLink.ts";
import { readSearch, type Search, writeSearch } from "@/lib/search.ts";
import { CrashScreen } from "./CrashScreen.tsx";
import { MissingScreen } from "./MissingScreen.tsx";
import { SCREENS } from "./screens.ts";
import { Shell } from "./Shell.tsx";

const root = createRootRoute({
  component: Shell,
  notFoundComponent: MissingScreen,
  validateSearch: (search): Search => search as Search,
});

const home = createRoute({
  getParentRoute: () => root,
  path: "/",
  beforeLoad: ({ location }) => {
    const href = addressOfLink(location.hash);
    if (href !== undefined) {
      throw redirect({ href, replace: true });
    }
  },
  component: lazyRouteComponent(SCREENS["/"], "HomeScreen"),
});
const create = createRoute({
  getParentRoute: () => root,
  path: "/create",
  component: lazyRouteComponent(SCREENS["/create"], "CreateScreen"),
});
const workspaces = createRoute({
  getParentRoute: () => root,
  path: "/workspaces",
  component: lazyRouteComponent(SCREENS["/workspaces"], "WorkspacesScreen"),
});
const items = createRoute({
  getParentRoute: () => root,
  path: "/w/$workspace",
  component: lazyRouteComponent(SCREENS["/w/$workspace"], "ItemsScreen"),
});
const model = createRoute({
  getParentRoute: () => root,
  path: "/w/$workspace/models/$model",
  component: lazyRouteComponent(SCREENS["/w/$workspace/models/$model"], "ModelScreen"),
});
const version = createRoute({
  getParentRoute: () => root,
  path: "/w/$workspace/models/$model/versions/$version",
  component: lazyRouteComponent(
    SCREENS["/w/$workspace/models/$model/versions/$version"],
    "ModelScreen",
  ),
});
const apply = createRoute({
  getParentRoute: () => root,
  path: "/w/$workspace/models/$model/versions/$version/apply",
  component: lazyRouteComponent(
    SCREENS["/w/$workspace/models/$model/versions/$version/apply"],
    "ApplyScreen",
  ),
});
const versionList = createRoute({
  getParentRoute: () => root,
  path: "/w/$workspace/models/$model/list",
  component: lazyRouteComponent(SCREENS["/w/$workspace/models/$model/list"], "VersionListScreen"),
});
const experiment = createRoute({
  getParentRoute: () => root,
  path: "/w/$workspace/experiments/$experiment",
  component: lazyRouteComponent(
    SCREENS["/w/$workspace/experiments/$experiment"],
    "ExperimentScreen",
  ),
});
const run = createRoute({
  getParentRoute: () => root,
  path: "/w/$workspace/runs/$run",
  component: lazyRouteComponent(SCREENS["/w/$workspace/runs/$run"], "RunScreen"),
});
const runs = createRoute({
  getParentRoute: () => root,
  path: "/w/$workspace/runs",
  component: lazyRouteComponent(SCREENS["/w/$workspace/runs"], "RunsScreen"),
});
const loggedModel = createRoute({
  getParentRoute: () => root,
  path: "/w/$workspace/logged-models/$loggedModel",
  component: lazyRouteComponent(
    SCREENS["/w/$workspace/logged-models/$loggedModel"],
    "LoggedModelScreen",
  ),
});
const compare = createRoute({
  getParentRoute: () => root,
  path: "/w/$workspace/compare",
  component: lazyRouteComponent(SCREENS["/w/$workspace/compare"], "CompareScreen"),
});
const jobs = createRoute({
  getParentRoute: () => root,
  path: "/w/$workspace/jobs",
  component: lazyRouteComponent(SCREENS["/w/$workspace/jobs"], "JobsScreen"),
});
const job = createRoute({
  getParentRoute: () => root,
  path: "/w/$workspace/jobs/$job",
  component: lazyRouteComponent(SCREENS["/w/$workspace/jobs/$job"], "JobScreen"),
});

export const router = createRouter({
  routeTree: root.addChildren([
    home,
    create,
    workspaces,
    items,
    model,
    version,
    apply,
    versionList,
    experiment,
    runs,
    run,
    loggedModel,
    compare,
    jobs,
    job,
  ]),
  parseSearch: readSearch,
  stringifySearch: writeSearch,
  defaultPreload: "intent",
  defaultErrorComponent: CrashScreen,
  scrollRestoration: false,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
