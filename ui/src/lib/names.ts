/**
 * What may be a model's name or a tag's, said as it is typed.
 *
 * The rules are the server's (`keys.py`, `registry/models.py`), which has the last word.
 */
const NAME_MAX = 500;
const KEY_MAX = 250;
const KEY = /^[/\p{L}\p{N}\p{M}\p{Pc}.\- :]+$/u;

/** Why a text cannot name a model; undefined where it can. */
export function refusalOfModelName(name: string): string | undefined {
  if (name.trim() === "") return "A model needs a name.";
  if (/[/:]/.test(name)) return "A name cannot hold / or :";
  if (name === "." || name === "..") return "This would name a folder.";
  if (name.length > NAME_MAX) return `At most ${NAME_MAX} characters; these are ${name.length}.`;
  return undefined;
}

/** Why a text cannot name a tag; undefined where it can. */
export function refusalOfKey(key: string, taken: readonly string[] = []): string | undefined {
  if (key === "") return "A tag needs a name.";
  if (key.length > KEY_MAX) return `At most ${KEY_MAX} characters; these are ${key.length}.`;
  if (!KEY.test(key)) return "Letters, digits and _ - . : / and spaces only";
  const parts = key.split("/");
  if (parts.includes("") || parts.includes(".") || parts.includes("..")) {
    return "Each part between slashes needs a name of its own.";
  }
  if (taken.includes(key)) return "There is such a tag already.";
  return undefined;
}
