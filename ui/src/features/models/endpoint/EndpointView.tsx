/** A version's endpoint: how it stands, its address as code, what it did, and a form to try it. */
import {
  Badge,
  Button,
  makeStyles,
  Switch,
  Tab,
  TabList,
  Text,
  tokens,
} from "@fluentui/react-components";
import { PlayRegular, StopRegular } from "@fluentui/react-icons";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { countText, shortNumber } from "@/lib/format.ts";
import { CodeBlock } from "@/parts/CodeBlock.tsx";
import { ErrorView } from "@/parts/ErrorView.tsx";
import { Facts } from "@/parts/Facts.tsx";
import { Loading } from "@/parts/Loading.tsx";
import { notifyFailure } from "@/parts/notices.ts";
import { TimeText } from "@/parts/TimeText.tsx";
import { useSettled, type Version } from "../queries.ts";
import { asking } from "../snippets.ts";
import { PreviewForm } from "./PreviewForm.tsx";
import { activate, deactivate, type Endpoint, endpointQuery, keepOn } from "./queries.ts";

const WORDS = {
  inactive: { label: "Inactive", color: "informative" },
  activating: { label: "Activating", color: "warning" },
  active: { label: "Active", color: "success" },
  deactivating: { label: "Deactivating", color: "warning" },
  failed: { label: "Failed", color: "danger" },
} as const;

const useStyles = makeStyles({
  view: { display: "flex", flexDirection: "column", gap: tokens.spacingVerticalL, minWidth: 0 },
  head: {
    display: "flex",
    flexWrap: "wrap",
    alignItems: "center",
    gap: tokens.spacingHorizontalM,
  },
  faint: { color: tokens.colorNeutralForeground3 },
  failure: { color: tokens.colorPaletteRedForeground1, overflowWrap: "anywhere" },
  columns: {
    display: "grid",
    gridTemplateColumns: "repeat(auto-fit, minmax(min(420px, 100%), 1fr))",
    gap: tokens.spacingHorizontalL,
    alignItems: "start",
  },
  code: { display: "flex", flexDirection: "column", gap: tokens.spacingVerticalS, minWidth: 0 },
});

interface EndpointProps {
  readonly workspace: string;
  readonly version: Version;
}

export function EndpointView({ workspace, version }: EndpointProps) {
  const styles = useStyles();
  const settled = useSettled(workspace, version.model);
  const { data, error, refetch } = useQuery(endpointQuery(workspace, version));
  if (error) return <ErrorView error={error} onRetry={() => void refetch()} />;
  if (!data) return <Loading lines={4} />;
  const isOn = data.state !== "inactive" && data.state !== "deactivating";

  async function change(what: string, call: Promise<unknown>) {
    try {
      await settled(call);
    } catch (failure) {
      notifyFailure(`The endpoint was not ${what}`, failure);
    }
  }

  return (
    <div className={styles.view}>
      <div className={styles.head}>
        <StateBadge endpoint={data} />
        {isOn ? (
          <Button
            size="small"
            icon={<StopRegular />}
            onClick={() => void change("deactivated", deactivate(workspace, version))}
          >
            Deactivate
          </Button>
        ) : (
          <Button
            size="small"
            appearance="primary"
            icon={<PlayRegular />}
            disabledFocusable={data.state === "deactivating"}
            onClick={() => void change("activated", activate(workspace, version))}
          >
            Activate
          </Button>
        )}
        <Switch
          label="Always on"
          checked={data.is_always_on}
          onChange={(_event, { checked }) =>
            void change("changed", keepOn(workspace, version, checked))
          }
        />
      </div>
      {data.failure !== "" && <Text className={styles.failure}>{data.failure}</Text>}
      {isOn ? (
        <>
          <div className={styles.columns}>
            <Counts endpoint={data} />
            <AskingCode workspace={workspace} version={version} />
          </div>
          <PreviewForm
            key={version.version}
            workspace={workspace}
            version={version}
            onAsked={() => void refetch()}
          />
        </>
      ) : (
        <Text className={styles.faint}>
          An active version answers scoring requests at an address of its own. Its model is loaded
          in a locked-down process, goes to sleep when nobody asks, and wakes with the next request.
        </Text>
      )}
    </div>
  );
}

function StateBadge({ endpoint }: { readonly endpoint: Endpoint }) {
  const { label, color } = WORDS[endpoint.state];
  const isAsleep = endpoint.state === "active" && !endpoint.is_loaded;
  return (
    <Badge appearance="tint" color={color} role="status">
      {isAsleep ? "Active, asleep" : label}
    </Badge>
  );
}

function milliseconds(value: number | null): string | null {
  return value === null ? null : `${shortNumber(value)} ms`;
}

function Counts({ endpoint }: { readonly endpoint: Endpoint }) {
  const { counts, changed_ms, changed_by, joins } = endpoint;
  return (
    <Facts
      facts={[
        { word: "Requests", what: countText(counts.requests) },
        { word: "Errors", what: countText(counts.errors) },
        { word: "Median time", what: milliseconds(counts.p50_ms) },
        { word: "95 of 100 in", what: milliseconds(counts.p95_ms) },
        { word: "Last asked", what: counts.last_ms && <TimeText ms={counts.last_ms} /> },
        {
          word: "Activated",
          what: changed_ms !== null && (
            <>
              <TimeText ms={changed_ms} /> by {changed_by}
            </>
          ),
        },
        {
          word: "Together",
          what:
            joins &&
            "Requests that come at once are predicted in one call, each with the bits it gets alone.",
        },
      ].map((fact) => ({ ...fact, what: fact.what === false ? null : fact.what }))}
    />
  );
}

function AskingCode({ workspace, version }: EndpointProps) {
  const styles = useStyles();
  const [tab, setTab] = useState("curl");
  const snippets = asking({ address: window.location.origin, workspace, version });
  const shown = snippets.find(({ id }) => id === tab) ?? snippets[0];
  return (
    <div className={styles.code}>
      <TabList
        size="small"
        selectedValue={shown?.id}
        onTabSelect={(_event, data) => setTab(String(data.value))}
        aria-label="Code that asks"
      >
        {snippets.map(({ id, label }) => (
          <Tab key={id} value={id}>
            {label}
          </Tab>
        ))}
      </TabList>
      {shown && <CodeBlock label="Code to ask" language={shown.language} code={shown.code} />}
    </div>
  );
}
