/**
 * What is wrong with one field, and how a set of such faults is told to a client.
 *
 * Words and order are upstream's (k8s:apimachinery/pkg/util/validation/field/errors.go, api/errors NewInvalid), for
 * scripts and people read them.
 */
import type { Kind } from "../kinds/kind.ts";
import type { LabelSelector, Status } from "../schema/types.generated.ts";

/** The phrase in messages, by the name in `details.causes[].reason`. */
export const PHRASES = {
  FieldValueNotFound: "Not found",
  FieldValueRequired: "Required value",
  FieldValueDuplicate: "Duplicate value",
  FieldValueInvalid: "Invalid value",
  FieldValueTypeInvalid: "Invalid value",
  FieldValueNotSupported: "Unsupported value",
  FieldValueForbidden: "Forbidden",
  FieldValueTooLong: "Too long",
  FieldValueTooMany: "Too many",
  InternalError: "Internal error",
} as const;

export type FieldErrorReason = keyof typeof PHRASES;

export interface FieldError {
  reason: FieldErrorReason;
  field: string;
  badValue?: unknown;
  detail: string;
}

/** A value that Go would print in its own notation; the text stands as it is. */
export class GoText {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

export function goMap(map: Record<string, string> | undefined): GoText {
  const entries = Object.entries(map ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  const pairs = entries.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`);
  return new GoText(map ? `map[string]string{${pairs.join(", ")}}` : "map[string]string(nil)");
}

export function goSelector(selector: LabelSelector | undefined): GoText {
  const expressions = selector?.matchExpressions?.map(({ key, operator, values }) => {
    const list = values ? goStrings(values) : "[]string(nil)";
    return `v1.LabelSelectorRequirement{Key:"${key}", Operator:"${operator}", Values:${list}}`;
  });
  const type = "[]v1.LabelSelectorRequirement";
  const shown = expressions ? `${type}{${expressions.join(", ")}}` : `${type}(nil)`;
  const labels = goMap(selector?.matchLabels).text;
  return new GoText(`v1.LabelSelector{MatchLabels:${labels}, MatchExpressions:${shown}}`);
}

export function goStrings(values: readonly string[]): string {
  if (values.length === 0) return "[]string(nil)";
  return `[]string{${values.map((value) => JSON.stringify(value)).join(", ")}}`;
}

export function goList(values: readonly string[]): GoText {
  return new GoText(goStrings(values));
}

/** Collects faults in the order in which they are found. */
export class FieldErrors {
  readonly list: FieldError[] = [];

  add(reason: FieldErrorReason, field: string, badValue: unknown, detail: string): void {
    this.list.push({ reason, field, badValue, detail });
  }

  required(field: string, detail = ""): void {
    this.add("FieldValueRequired", field, undefined, detail);
  }

  invalid(field: string, badValue: unknown, detail: string): void {
    this.add("FieldValueInvalid", field, badValue, detail);
  }

  /** One fault for each message, as a check of a format gives them. */
  invalidEach(field: string, badValue: unknown, details: readonly string[]): void {
    for (const detail of details) this.invalid(field, badValue, detail);
  }

  notSupported(field: string, badValue: unknown, supported: readonly string[]): void {
    const values = supported.map((value) => JSON.stringify(value)).join(", ");
    this.add("FieldValueNotSupported", field, badValue, `supported values: ${values}`);
  }

  forbidden(field: string, detail: string): void {
    this.add("FieldValueForbidden", field, undefined, detail);
  }

  duplicate(field: string, badValue: unknown): void {
    this.add("FieldValueDuplicate", field, badValue, "");
  }

  tooMany(field: string, count: number, most: number): void {
    this.add("FieldValueTooMany", field, count, `must have at most ${most} items`);
  }

  notFound(field: string, badValue: unknown): void {
    this.add("FieldValueNotFound", field, badValue, "");
  }

  tooLong(field: string, mostBytes: number): void {
    const detail = `may not be more than ${mostBytes} bytes`;
    this.add("FieldValueTooLong", field, undefined, detail);
  }

  nonNegative(field: string, value: number | undefined): void {
    if ((value ?? 0) < 0) this.invalid(field, value, "must be greater than or equal to 0");
  }
}

const WITHOUT_VALUE: ReadonlySet<FieldErrorReason> = new Set([
  "FieldValueRequired",
  "FieldValueForbidden",
  "FieldValueTooLong",
  "InternalError",
]);

/** `Invalid value: "x": must be …`, without the field. */
export function fieldErrorBody(error: FieldError): string {
  const phrase = PHRASES[error.reason];
  const shown = WITHOUT_VALUE.has(error.reason) ? "" : showValue(error.badValue);
  const body = shown === "" ? phrase : `${phrase}: ${shown}`;
  return error.detail === "" ? body : `${body}: ${error.detail}`;
}

function showValue(value: unknown): string {
  if (value instanceof GoText) return value.text;
  // Go's nil is shown as the text null, in quotes like any text.
  return JSON.stringify(value ?? "null");
}

export function fieldErrorMessage(error: FieldError): string {
  return `${error.field}: ${fieldErrorBody(error)}`;
}

/** One fault stands alone, several in brackets; the same words are said once. */
export function aggregateMessage(errors: readonly FieldError[]): string {
  const messages = [...new Set(errors.map(fieldErrorMessage))];
  return messages.length === 1 ? (messages[0] ?? "") : `[${messages.join(", ")}]`;
}

/** The answer 422 that tells a client what is wrong with its object. */
export function invalidStatus(
  kind: Pick<Kind, "group" | "kind">,
  name: string,
  errors: readonly FieldError[],
): Status {
  const groupKind = kind.group === "" ? kind.kind : `${kind.kind}.${kind.group}`;
  const causes = errors.map((error) => ({
    reason: error.reason,
    message: fieldErrorBody(error),
    field: error.field,
  }));
  return {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message: `${groupKind} ${JSON.stringify(name)} is invalid: ${aggregateMessage(errors)}`,
    reason: "Invalid",
    details: { name, group: kind.group || undefined, kind: kind.kind, causes },
    code: 422,
  };
}
