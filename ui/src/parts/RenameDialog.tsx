/** Gives something another name. */
import { Field, Input } from "@fluentui/react-components";
import { useState } from "react";
import { FormDialog } from "./FormDialog.tsx";

export interface RenameDialogProps {
  /** What gets the name, such as `run`. */
  readonly noun: string;
  readonly name: string;
  /** Why a name is not possible, said as it is typed. */
  readonly refuse?: (name: string) => string | undefined;
  readonly onRename: (name: string) => Promise<unknown>;
  readonly onClose: () => void;
}

export function RenameDialog({ noun, name, refuse, onRename, onClose }: RenameDialogProps) {
  const [next, setNext] = useState(name);
  const refusal = next.trim() === "" ? `A ${noun} needs a name.` : refuse?.(next);
  return (
    <FormDialog
      title={`Rename ${noun}`}
      action="Rename"
      isRefused={refusal !== undefined || next === name}
      onSubmit={() => onRename(next)}
      onClose={onClose}
    >
      <Field label="Name" required validationMessage={refusal ?? null}>
        <Input
          autoFocus
          value={next}
          onFocus={(event) => event.target.select()}
          onChange={(_event, data) => setNext(data.value)}
        />
      </Field>
    </FormDialog>
  );
}
