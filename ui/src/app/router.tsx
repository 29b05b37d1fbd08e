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
  component: lazyRouteComponent(() => import("@/features/home/HomeScreen.tsx"), "HomeScreen"),
});
const create = createRoute({
  getParentRoute: () => root,
  path: "/create",
  component: lazyRouteComponent(
    () => import("@/features/workspaces/CreateScreen.tsx"),
    "CreateScreen",
  ),
});
const workspaces = createRoute({
  getParentRoute: () => root,
  path: "/workspaces",
  component: lazyRouteComponent(
    () => import("@/features/workspaces/WorkspacesScreen.tsx"),
    "WorkspacesScreen",
  ),
});
const items = createRoute({
  getParentRoute: () => root,
  path: "/w/$workspace",
  component: lazyRouteComponent(
    () => import("@/features/workspaces/ItemsScreen.tsx"),
    "ItemsScreen",
  ),
});
const model = createRoute({
  getParentRoute: () => root,
  path: "/w/$workspace/models/$model",
  component: lazyRouteComponent(() => import("@/features/models/ModelScreen.tsx"), "ModelScreen"),
});
const version = createRoute({
  getParentRoute: () => root,
  path: "/w/$workspace/models/$model/versions/$version",
  component: lazyRouteComponent(() => import("@/features/models/ModelScreen.tsx"), "ModelScreen"),
});
const apply = createRoute({
  getParentRoute: () => root,
  path: "/w/$workspace/models/$model/versions/$version/apply",
  component: lazyRouteComponent(() => import("@/features/apply/ApplyScreen.tsx"), "ApplyScreen"),
});
const versionList = createRoute({
  getParentRoute: () => root,
  path: "/w/$workspace/models/$model/list",
  component: lazyRouteComponent(
    () => import("@/features/models/VersionListScreen.tsx"),
    "VersionListScreen",
  ),
});
const experiment = createRoute({
  getParentRoute: () => root,
  path: "/w/$workspace/experiments/$experiment",
  component: lazyRouteComponent(
    () => import("@/features/experiments/ExperimentScreen.tsx"),
    "ExperimentScreen",
  ),
});
const run = createRoute({
  getParentRoute: () => root,
  path: "/w/$workspace/runs/$run",
  component: lazyRouteComponent(() => import("@/features/runs/RunScreen.tsx"), "RunScreen"),
});
const runs = createRoute({
  getParentRoute: () => root,
  path: "/w/$workspace/runs",
  component: lazyRouteComponent(
    () => import("@/features/experiments/RunsScreen.tsx"),
    "RunsScreen",
  ),
});
const loggedModel = createRoute({
  getParentRoute: () => root,
  path: "/w/$workspace/logged-models/$loggedModel",
  component: lazyRouteComponent(
    () => import("@/features/runs/LoggedModelScreen.tsx"),
    "LoggedModelScreen",
  ),
});
const compare = createRoute({
  getParentRoute: () => root,
  path: "/w/$workspace/compare",
  component: lazyRouteComponent(
    () => import("@/features/comparison/CompareScreen.tsx"),
    "CompareScreen",
  ),
});
const jobs = createRoute({
  getParentRoute: () => root,
  path: "/w/$workspace/jobs",
  component: lazyRouteComponent(() => import("@/features/jobs/JobsScreen.tsx"), "JobsScreen"),
});
const job = createRoute({
  getParentRoute: () => root,
  path: "/w/$workspace/jobs/$job",
  component: lazyRouteComponent(() => import("@/features/jobs/JobScreen.tsx"), "JobScreen"),
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
