/**
 * The filter bar: chips beside a text, both the same filter.
 *
 * `value` is the filter that is applied; `onChange` hears of a new one when it was taken with Enter,
 * by a chip, or by leaving the field. `fault` is what the server found wrong with the applied one.
 * Completes from the real keys and values of `source`. Always holds: what cannot be read is shown
 * with a mark under the character at which it is wrong, and never applied.
 */
import {
  Button,
  makeStyles,
  mergeClasses,
  SearchBox,
  tokens,
  Tooltip,
  useId,
} from "@fluentui/react-components";
import { AddRegular, DismissRegular } from "@fluentui/react-icons";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { type KeyboardEvent, type RefObject, useEffect, useMemo, useRef, useState } from "react";
import { fluentRef } from "@/lib/fluentRef.ts";
import type { KnownColumn, TableSource } from "../table/source.ts";
import { chipsOf, joinChips } from "./chips.ts";
import {
  joinOffers,
  keyOffers,
  type Offer,
  operatorOffers,
  take,
  valueOffers,
  wanted,
} from "./complete.ts";
import { type Fault, read } from "./grammar.ts";

const OFFERS = 12;
const WAIT_MS = 120;

const useStyles = makeStyles({
  bar: {
    display: "flex",
    flexWrap: "wrap",
    alignItems: "center",
    gap: tokens.spacingHorizontalXS,
    minWidth: 0,
    flexGrow: 1,
  },
  field: { position: "relative", flexGrow: 1, flexBasis: "260px", minWidth: 0 },
  input: {
    width: "100%",
    maxWidth: "none",
    fontFamily: tokens.fontFamilyMonospace,
    // Where the field is narrower than the example in it.
    "& input": { textOverflow: "ellipsis" },
  },
  chip: {
    display: "inline-flex",
    alignItems: "center",
    maxWidth: "min(320px, 100%)",
    height: "28px",
    borderRadius: tokens.borderRadiusMedium,
    border: `1px solid ${tokens.colorNeutralStroke1}`,
    backgroundColor: tokens.colorNeutralBackground1,
  },
  chipText: {
    minWidth: 0,
    height: "100%",
    overflow: "hidden",
    textOverflow: "ellipsis",
    whiteSpace: "nowrap",
    padding: `0 0 0 ${tokens.spacingHorizontalS}`,
    border: "none",
    background: "none",
    color: tokens.colorNeutralForeground1,
    fontFamily: tokens.fontFamilyMonospace,
    fontSize: tokens.fontSizeBase200,
    cursor: "pointer",
  },
  chipEnd: { minWidth: "24px", width: "24px", height: "24px", padding: 0 },
  list: {
    position: "absolute",
    insetInlineStart: 0,
    top: "calc(100% + 2px)",
    zIndex: 20,
    boxSizing: "border-box",
    width: "min(520px, 100%)",
    maxHeight: "320px",
    overflow: "auto",
    margin: 0,
    padding: tokens.spacingVerticalXS,
    listStyleType: "none",
    backgroundColor: tokens.colorNeutralBackground1,
    border: `1px solid ${tokens.colorNeutralStroke1}`,
    borderRadius: tokens.borderRadiusMedium,
    boxShadow: tokens.shadow16,
  },
  offer: {
    display: "flex",
    justifyContent: "space-between",
    gap: tokens.spacingHorizontalM,
    padding: `${tokens.spacingVerticalXS} ${tokens.spacingHorizontalS}`,
    borderRadius: tokens.borderRadiusSmall,
    cursor: "pointer",
  },
  chosen: { backgroundColor: tokens.colorNeutralBackground1Hover },
  offerText: {
    minWidth: 0,
    overflow: "hidden",
    textOverflow: "ellipsis",
    whiteSpace: "nowrap",
    fontFamily: tokens.fontFamilyMonospace,
  },
  detail: {
    flexShrink: 0,
    color: tokens.colorNeutralForeground3,
    fontSize: tokens.fontSizeBase200,
  },
  fault: {
    flexBasis: "100%",
    margin: 0,
    overflowX: "auto",
    fontSize: tokens.fontSizeBase200,
    color: tokens.colorStatusDangerForeground1,
  },
  place: { margin: 0, fontFamily: tokens.fontFamilyMonospace },
});

export interface FilterBarProps {
  readonly source: TableSource;
  readonly known: ReadonlyMap<string, KnownColumn>;
  readonly value: string;
  readonly fault?: Fault | null | undefined;
  readonly onChange: (filter: string) => void;
  /** The field, for those who want to put the caret there. */
  readonly field?: RefObject<HTMLInputElement | null>;
}

export function FilterBar({ source, known, value, fault = null, onChange, field }: FilterBarProps) {
  const styles = useStyles();
  const id = useId("filter");
  const own = useRef<HTMLInputElement>(null);
  const input = field ?? own;
  // The text in the field: a new part beside the chips, or a chip that is edited.
  const [text, setText] = useState("");
  const [edited, setEdited] = useState<number | null>(null);
  const [caret, setCaret] = useState(0);
  const [isOpen, setOpen] = useState(false);
  const [chosen, setChosen] = useState(-1);
  const [said, setSaid] = useState<Fault | null>(null);
  const chips = useMemo(() => chipsOf(value), [value]);

  const context = wanted(text, caret);
  const offers = useOffers(source, known, context, isOpen);
  const others = chips.filter((_, n) => n !== edited).map((chip) => chip.text);

  const apply = () => {
    const reading = read(text);
    if (reading.fault !== null) {
      setSaid(reading.fault);
      return;
    }
    const parts = chips.map((chip) => chip.text);
    if (edited === null) parts.push(text);
    else parts.splice(edited, 1, text);
    setOpen(false);
    setSaid(null);
    setText("");
    setEdited(null);
    onChange(joinChips(parts));
  };
  const change = (next: string, at: number) => {
    setText(next);
    setCaret(at);
    setChosen(-1);
    setOpen(true);
    setSaid(null);
  };
  const accept = (offer: Offer) => {
    const [next, at] = take(text, context, offer);
    change(next, at);
    requestAnimationFrame(() => {
      input.current?.focus();
      input.current?.setSelectionRange(at, at);
    });
  };
  const edit = (n: number) => {
    const chip = chips[n];
    if (!chip) return;
    setEdited(n);
    change(chip.text, chip.text.length);
    setOpen(false);
    input.current?.focus();
  };
  const onKeyDown = (event: KeyboardEvent<HTMLInputElement>) => {
    const count = offers.length;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      if (!isOpen) setOpen(true);
      const by = event.key === "ArrowDown" ? 1 : -1;
      setChosen(count === 0 ? -1 : (chosen + by + (chosen < 0 && by < 0 ? 1 : 0) + count) % count);
      event.preventDefault();
    } else if (event.key === "Enter" || (event.key === "Tab" && isOpen && chosen >= 0)) {
      const offer = isOpen ? offers[chosen] : undefined;
      if (offer) accept(offer);
      else if (text.trim() !== "" || edited !== null) apply();
      event.preventDefault();
    } else if (event.key === "Escape" && (isOpen || text !== "")) {
      if (isOpen) setOpen(false);
      else change("", 0);
      setEdited(null);
      event.stopPropagation();
      event.preventDefault();
    } else if (event.key === "Backspace" && text === "" && chips.length > 0) {
      edit(chips.length - 1);
      event.preventDefault();
    }
  };

  const shownFault = said ?? (edited === null && text === "" ? fault : null);
  const faultText = said ? text : value;
  return (
    <div className={styles.bar} role="search" aria-label={`Filter ${source.noun.many}`}>
      {chips.map((chip, n) =>
        n === edited ? null : (
          <span key={`${n} ${chip.text}`} className={styles.chip}>
            <button
              type="button"
              className={styles.chipText}
              title={`${chip.text}\nClick to edit`}
              onClick={() => edit(n)}
            >
              {chip.text}
            </button>
            <Tooltip content="Remove" relationship="description">
              <Button
                size="small"
                appearance="transparent"
                className={styles.chipEnd}
                icon={<DismissRegular />}
                aria-label={`Remove ${chip.text}`}
                onClick={() =>
                  onChange(joinChips(chips.filter((_, m) => m !== n).map((each) => each.text)))
                }
              />
            </Tooltip>
          </span>
        ),
      )}
      <div className={styles.field}>
        <SearchBox
          className={styles.input}
          ref={fluentRef(input)}
          role="combobox"
          aria-expanded={isOpen && offers.length > 0}
          aria-controls={`${id}-list`}
          aria-autocomplete="list"
          aria-activedescendant={isOpen && chosen >= 0 ? `${id}-${chosen}` : undefined}
          aria-invalid={shownFault !== null}
          aria-describedby={shownFault ? `${id}-fault` : undefined}
          spellCheck={false}
          autoComplete="off"
          aria-label={`Filter ${source.noun.many}`}
          placeholder={others.length > 0 ? "and …" : "metrics.rmse < 60 AND tags.team = 'stores'"}
          value={text}
          contentBefore={<AddRegular />}
          onChange={(_event, data) => {
            const at = input.current?.selectionStart ?? data.value.length;
            if (data.value === "" && edited !== null) {
              setEdited(null);
              onChange(joinChips(others));
            }
            change(data.value, at);
          }}
          onKeyDown={onKeyDown}
          onClick={() => {
            setCaret(input.current?.selectionStart ?? 0);
            setOpen(true);
          }}
          onBlur={() => setOpen(false)}
        />
        {isOpen && offers.length > 0 && (
          <ul id={`${id}-list`} role="listbox" aria-label="Completions" className={styles.list}>
            {offers.map((offer, n) => (
              <li
                key={offer.label}
                id={`${id}-${n}`}
                role="option"
                aria-selected={n === chosen}
                className={mergeClasses(styles.offer, n === chosen && styles.chosen)}
                onPointerDown={(event) => {
                  event.preventDefault();
                  accept(offer);
                }}
              >
                <span className={styles.offerText} dir="auto">
                  {offer.label}
                </span>
                <span className={styles.detail}>{offer.detail}</span>
              </li>
            ))}
          </ul>
        )}
      </div>
      {shownFault && (
        <div id={`${id}-fault`} role="alert" className={styles.fault}>
          <pre className={styles.place}>
            {faultText.slice(Math.max(0, shownFault.position - 60), shownFault.position + 40)}
            {`\n${" ".repeat(Math.min(60, shownFault.position))}^`}
          </pre>
          {shownFault.message.split("\n")[0]}
        </div>
      )}
    </div>
  );
}

/** What could be put in where the caret is. */
function useOffers(
  source: TableSource,
  known: ReadonlyMap<string, KnownColumn>,
  context: ReturnType<typeof wanted>,
  isOpen: boolean,
): readonly Offer[] {
  const { expects, key, search } = context;
  const [waited, setWaited] = useState(search);
  useEffect(() => {
    const timer = setTimeout(() => setWaited(search), WAIT_MS);
    return () => clearTimeout(timer);
  }, [search]);
  const keys = useQuery({
    queryKey: [...source.id, "complete", "keys", waited],
    queryFn: ({ signal }) => source.columns({ text: waited, limit: OFFERS, offset: 0 }, signal),
    enabled: isOpen && expects === "key",
    placeholderData: keepPreviousData,
  });
  const values = useQuery({
    queryKey: [...source.id, "complete", "values", key, waited],
    queryFn: ({ signal }) => source.values({ column: key, text: waited, limit: OFFERS }, signal),
    enabled: isOpen && expects === "value" && key !== "",
    retry: false,
  });
  if (!isOpen) return [];
  switch (expects) {
    case "key":
      return keyOffers(keys.data?.columns ?? []);
    case "operator":
      return operatorOffers(key, context.typed, known);
    case "value":
      return valueOffers(values.data ?? []);
    case "join":
      return joinOffers(context.typed);
  }
}
