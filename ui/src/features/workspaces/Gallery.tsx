/** What can be made in a workspace, as cards; choosing one asks for its name. */
import {
  Button,
  Dialog,
  DialogBody,
  DialogContent,
  DialogSurface,
  DialogTitle,
  makeStyles,
  Text,
  tokens,
} from "@fluentui/react-components";
import { BeakerRegular, BoxMultipleRegular, DismissRegular } from "@fluentui/react-icons";
import { type ReactElement, useState } from "react";
import { CreateItemDialog } from "./CreateItemDialog.tsx";

export type ItemKind = "model" | "experiment";

const CARDS: readonly {
  readonly kind: ItemKind;
  readonly name: string;
  readonly about: string;
  readonly icon: ReactElement;
}[] = [
  {
    kind: "model",
    name: "ML Model",
    about: "Versions of a trained model: compared, tagged, promoted and applied to tables.",
    icon: <BoxMultipleRegular />,
  },
  {
    kind: "experiment",
    name: "Experiment",
    about: "Runs of training code with their parameters, metrics, files and models.",
    icon: <BeakerRegular />,
  },
];

const useStyles = makeStyles({
  surface: { maxWidth: "min(680px, 94vw)" },
  heading: { margin: 0, marginBottom: tokens.spacingVerticalM },
  cards: {
    display: "grid",
    gridTemplateColumns: "repeat(auto-fill, minmax(min(240px, 100%), 1fr))",
    gap: tokens.spacingHorizontalM,
  },
  card: {
    display: "grid",
    gridTemplateColumns: "32px 1fr",
    alignItems: "start",
    gap: tokens.spacingHorizontalM,
    padding: tokens.spacingHorizontalL,
    textAlign: "start",
    fontFamily: tokens.fontFamilyBase,
    color: tokens.colorNeutralForeground1,
    backgroundColor: tokens.colorNeutralBackground1,
    border: `1px solid ${tokens.colorNeutralStroke2}`,
    borderRadius: tokens.borderRadiusLarge,
    cursor: "pointer",
    ":hover": {
      backgroundColor: tokens.colorNeutralBackground1Hover,
      border: `1px solid ${tokens.colorBrandStroke1}`,
    },
    ":focus-visible": { outline: `2px solid ${tokens.colorStrokeFocus2}` },
  },
  icon: { fontSize: "32px", lineHeight: 1, color: tokens.colorBrandForeground1 },
  words: { display: "flex", flexDirection: "column", gap: tokens.spacingVerticalXS },
  about: { color: tokens.colorNeutralForeground3 },
});

/** The cards, under a heading. */
export function GalleryCards({
  heading,
  onChoose,
}: {
  readonly heading: string;
  readonly onChoose: (kind: ItemKind) => void;
}) {
  const styles = useStyles();
  return (
    <section>
      <Text as="h2" weight="semibold" size={400} block className={styles.heading}>
        {heading}
      </Text>
      <div className={styles.cards}>
        {CARDS.map((card) => (
          <button
            key={card.kind}
            type="button"
            className={styles.card}
            aria-label={card.name}
            onClick={() => onChoose(card.kind)}
          >
            <span className={styles.icon} aria-hidden>
              {card.icon}
            </span>
            <span className={styles.words}>
              <Text weight="semibold">{card.name}</Text>
              <Text size={200} className={styles.about}>
                {card.about}
              </Text>
            </span>
          </button>
        ))}
      </div>
    </section>
  );
}

export interface GalleryProps {
  readonly workspace: string;
  readonly heading: string;
  readonly onClose: () => void;
}

/** The gallery as a dialog. */
export function Gallery({ workspace, heading, onClose }: GalleryProps) {
  const styles = useStyles();
  const [kind, setKind] = useState<ItemKind | null>(null);
  if (kind) return <CreateItemDialog workspace={workspace} kind={kind} onClose={onClose} />;
  return (
    <Dialog open onOpenChange={onClose}>
      <DialogSurface className={styles.surface}>
        <DialogBody>
          <DialogTitle
            action={
              <Button
                appearance="subtle"
                aria-label="Close"
                icon={<DismissRegular />}
                onClick={onClose}
              />
            }
          >
            New item in {workspace}
          </DialogTitle>
          <DialogContent>
            <GalleryCards heading={heading} onChoose={setKind} />
          </DialogContent>
        </DialogBody>
      </DialogSurface>
    </Dialog>
  );
}
