/** Validators by type name: each checks a value of its type and everything inside it. */
import type { FieldErrors } from "./field-error.ts";

export type Validator<T> = (errors: FieldErrors, value: T, path: string) => void;
export type ValidatorTable = Readonly<Record<string, Validator<never>>>;

/** What may change, and what must not. */
export type UpdateValidator<T> = (errors: FieldErrors, value: T, old: T) => void;
export type UpdateValidatorTable = Readonly<Record<string, UpdateValidator<never>>>;

export const IMMUTABLE = "field is immutable";

/** Objects that decoding made have their keys in one order, so their texts are equal when they are. */
export function sameValue(a: unknown, b: unknown): boolean {
  return a === b || canonicalJson(a) === canonicalJson(b);
}

/** Defaulting adds keys at the end, hence the sorting. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) => {
    if (typeof item !== "object" || item === null || Array.isArray(item)) return item;
    return Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
