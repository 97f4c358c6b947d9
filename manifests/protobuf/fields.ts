/** The fields of a message as the wire has them: by number, and those of inlined structs below one. */

import type { FieldSchema, TypeSchema } from "../schema/table.ts";

export type Fields = Record<string, unknown>;

/** Either `field` or `inlined`. */
export interface NumberedField {
  readonly number: number;
  readonly name: string;
  readonly field?: FieldSchema;
  readonly inlined?: readonly NumberedField[];
}

interface Placed {
  readonly name: string;
  readonly field: FieldSchema;
  readonly numbers: readonly number[];
}

/** In the order of their numbers. */
export function fieldTree({ fields }: TypeSchema): NumberedField[] {
  return treeOf(
    Object.entries(fields).flatMap(([name, field]) =>
      field.num ? [{ name, field, numbers: field.num }] : [],
    ),
  );
}

/** A field of an inlined struct has a number for each message that it lies in. */
function treeOf(placed: readonly Placed[]): NumberedField[] {
  const inlined = new Map<number, Placed[]>();
  const tree: NumberedField[] = [];
  for (const { name, field, numbers } of placed) {
    const [number = 0, ...rest] = numbers;
    if (rest.length === 0) tree.push({ number, name, field });
    else inlined.set(number, [...(inlined.get(number) ?? []), { name, field, numbers: rest }]);
  }
  for (const [number, inner] of inlined) tree.push({ number, name: "", inlined: treeOf(inner) });
  return tree.sort((a, b) => a.number - b.number);
}
