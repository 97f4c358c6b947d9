/** Tables of faults: a valid object of a kind, and what is said of it after each change. */
import { expect, test } from "vitest";
import { decode } from "../../../../manifests/decode.ts";
import { setDefaults } from "../../../../manifests/defaults.ts";
import type { Kind, KubeObject } from "../../../../manifests/index.ts";
import {
  fieldErrorMessage,
  validateCreate,
  validateUpdate,
} from "../../../../manifests/validate.ts";

type Loose = Record<string, unknown>;

/** By path, such as `spec.containers[0].image`; undefined takes the field away. */
export type Change = Readonly<Record<string, unknown>>;
export type Row = readonly [change: Change, ...faults: string[]];

/** Decoded and defaulted, as the API server has it when it validates. */
export function made<T extends KubeObject>(kind: Kind<T>, value: object): T {
  const given = structuredClone(value) as Loose;
  const metadata = { name: "x", ...(kind.namespaced && { namespace: "default" }) };
  given.metadata = { ...metadata, ...(given.metadata as object) };
  return setDefaults(kind, decode(kind, given).object);
}

export function changed(value: object, change: Change): object {
  const copy = structuredClone(value) as Loose;
  for (const [path, item] of Object.entries(change)) setAt(copy, keysOf(path), item);
  return copy;
}

/** Names between dots, indexes and quoted names in brackets. */
function keysOf(path: string): string[] {
  return [...path.matchAll(/\[([^\]]+)\]|[^.[\]]+/g)].map(([whole, inner]) => inner ?? whole);
}

function setAt(value: Loose, [key = "", ...rest]: string[], item: unknown): void {
  if (rest.length === 0) {
    if (item === undefined) delete value[key];
    else value[key] = item;
    return;
  }
  value[key] ??= /^\d+$/.test(rest[0] ?? "") ? [] : {};
  setAt(value[key] as Loose, rest, item);
}

export function faultsOf<T extends KubeObject>(kind: Kind<T>, value: object): string[] {
  return validateCreate(kind, made(kind, value)).map(fieldErrorMessage);
}

export function updateFaultsOf<T extends KubeObject>(
  kind: Kind<T>,
  before: object,
  after: object,
): string[] {
  const [old, object] = [made(kind, before), made(kind, after)];
  old.metadata.resourceVersion = "1";
  object.metadata.resourceVersion = "1";
  return validateUpdate(kind, object, old).map(fieldErrorMessage);
}

function title(change: Change): string {
  return JSON.stringify(change).slice(0, 90);
}

/** The object is well as it is, and each change of it has these faults and no others. */
export function creates<T extends KubeObject>(kind: Kind<T>, valid: object, rows: Row[]): void {
  test(`${kind.kind}: the example is valid`, () => {
    expect(faultsOf(kind, valid)).toEqual([]);
  });
  test.each(rows.map(([change, ...faults]) => [title(change), change, faults] as const))(
    `${kind.kind}: create with %s`,
    (_title, change, faults) => {
      expect(faultsOf(kind, changed(valid, change))).toEqual(faults);
    },
  );
}

/** From the valid object, changed as the row says, to one that no longer is what it was. */
export function updates<T extends KubeObject>(kind: Kind<T>, valid: object, rows: Row[]): void {
  test.each(rows.map(([change, ...faults]) => [title(change), change, faults] as const))(
    `${kind.kind}: update to %s`,
    (_title, change, faults) => {
      expect(updateFaultsOf(kind, valid, changed(valid, change))).toEqual(faults);
    },
  );
}
