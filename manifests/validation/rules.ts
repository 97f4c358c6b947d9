/**
 * Rules by type name, for what the table cannot say: each looks at one field, or at a value as a whole.
 *
 * The walk (generic.ts) has already told of what is missing and of words that are not among the enumerated ones, so a
 * rule sees a value that is there. A field may be absent without fault; then no rule is asked.
 */
import type { FieldErrors } from "./field-error.ts";

export type Rule<V> = (errors: FieldErrors, value: V, at: string) => void;

export interface TypeRules {
  readonly fields?: Readonly<Record<string, Rule<never>>>;
  /** Required though OpenAPI does not say so, with the detail that upstream gives, often none. */
  readonly required?: Readonly<Record<string, string>>;
  /** Asked last, of the whole value. */
  readonly whole?: Rule<never>;
  /** Enumerated, but the rules here say what of that is taken. */
  readonly unlisted?: readonly string[];
  /** OpenAPI requires them, yet empty is well. */
  readonly mayBeEmpty?: readonly string[];
}

export type RuleTable = Readonly<Record<string, TypeRules>>;

/** A text, by a check of its format: one fault for each thing wrong with it. */
export function format(check: (value: string) => string[]): Rule<string> {
  return (errors, value, at) => errors.invalidEach(at, value, check(value));
}

/** As `format`, but for a text that may be empty. */
export function optional(check: (value: string) => string[]): Rule<string> {
  return (errors, value, at) => {
    if (value !== "") errors.invalidEach(at, value, check(value));
  };
}

export function each<V>(rule: Rule<V>): Rule<readonly V[]> {
  return (errors, values, at) => {
    values.forEach((value, i) => {
      rule(errors, value, `${at}[${i}]`);
    });
  };
}

export function oneOf(...supported: readonly string[]): Rule<string> {
  return (errors, value, at) => {
    if (!supported.includes(value)) errors.notSupported(at, value, supported);
  };
}

export const nonNegative: Rule<number> = (errors, value, at) => errors.nonNegative(at, value);

/** Fails with these words unless it holds. */
export function holds<V>(test: (value: V) => boolean, detail: string): Rule<V> {
  return (errors, value, at) => {
    if (!test(value)) errors.invalid(at, value, detail);
  };
}

export const positive: Rule<number> = holds((value) => value > 0, "must be greater than zero");

export function atMost(count: number): Rule<readonly unknown[]> {
  return (errors, list, at) => {
    if (list.length > count) errors.tooMany(at, list.length, count);
  };
}

/** Each element once; `keyOf` says what makes two the same. */
export function unique<V>(keyOf: (value: V) => string, field = ""): Rule<readonly V[]> {
  return (errors, values, at) => {
    const seen = new Set<string>();
    values.forEach((value, i) => {
      const key = keyOf(value);
      if (key && seen.has(key)) errors.duplicate(`${at}[${i}]${field}`, key);
      seen.add(key);
    });
  };
}
