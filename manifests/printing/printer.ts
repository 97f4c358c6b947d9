/** What a printer of one kind is: its columns, and the cells of an object in the same order. */
import type { KubeObject } from "../kinds/kind.ts";
import type { LabelSelector, PodSpec } from "../schema/types.generated.ts";
import { formatSelector, fromLabelSelector } from "../selectors.ts";
import { humanDuration } from "./duration.ts";

/** Null is left blank. */
export type Cell = string | number | boolean | null;

export interface Column {
  name: string;
  type: string;
  format: string;
  description: string;
  /** 0: always shown. 1: shown with `-o wide`. */
  priority: number;
}

export interface Printer<T extends KubeObject> {
  columns: Column[];
  cells(object: T, nowMs: number): Cell[];
}

export type PrinterTable = Readonly<Record<string, Printer<never>>>;

/**
 * Columns by name: `#` in front makes one of whole numbers, `+` one that only wide output shows. Words that are not
 * ours to copy, the descriptions, are left empty.
 */
export function columns(...names: string[]): Column[] {
  return names.map((marked) => {
    const name = marked.replace(/^[+#]+/, "");
    const prefix = marked.slice(0, marked.length - name.length);
    return {
      name,
      type: prefix.includes("#") ? "integer" : "string",
      format: name === "Name" ? "name" : "",
      description: "",
      priority: prefix.includes("+") ? 1 : 0,
    };
  });
}

/** How long ago, as people read it. */
export function since(timestamp: string | undefined, nowMs: number): string {
  const then = Date.parse(timestamp ?? "");
  return Number.isNaN(then) ? "<unknown>" : humanDuration(nowMs - then);
}

export function age(object: KubeObject, nowMs: number): string {
  return since(object.metadata.creationTimestamp, nowMs);
}

export function orNone(text: string | undefined): string {
  return text ? text : "<none>";
}

export function showLabels(labels: Record<string, string> | undefined): string {
  const pairs = Object.entries(labels ?? {}).map(([key, value]) => `${key}=${value}`);
  return orNone(pairs.sort().join(","));
}

export function showSelector(selector: LabelSelector | undefined): string {
  return orNone(selector && formatSelector(fromLabelSelector(selector)));
}

/** The names of a pod's containers, and their images. */
export function containerCells(spec: PodSpec | undefined): [names: string, images: string] {
  const containers = spec?.containers ?? [];
  return [
    containers.map(({ name }) => name).join(","),
    containers.map(({ image }) => image ?? "").join(","),
  ];
}

/** The first three, and how many more there are. */
export function firstThree(items: readonly string[], none: string): string {
  if (items.length === 0) return none;
  const shown = items.slice(0, 3).join(",");
  return items.length > 3 ? `${shown} + ${items.length - 3} more...` : shown;
}
