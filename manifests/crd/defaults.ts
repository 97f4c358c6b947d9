/** Defaulting by a structural schema, in place. */
import { additionalOf, type Fields, isFields, itemsOf, type Schema, setField } from "./schema.ts";

type Filler = (value: unknown) => void;

/** Undefined when nothing below has anything to fill in or to drop. */
export function compileDefaults(schema: Schema): Filler | undefined {
  const steps: ((value: Fields) => void)[] = [];
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    steps.push(ownDefault(name, property));
    const inner = compileDefaults(property);
    if (inner) steps.push((value) => inner(value[name]));
  }
  const additional = additionalOf(schema);
  if (additional) steps.push(...mapSteps(additional));
  const items = itemsOf(schema);
  const eachItem = items && compileDefaults(items);
  if (steps.length === 0 && !eachItem) return undefined;
  return (value) => {
    if (Array.isArray(value)) for (const item of value) eachItem?.(item);
    else if (isFields(value)) for (const step of steps) step(value);
  };
}

/** Null where it may not be is as if nothing had been said. */
function ownDefault(name: string, { default: fallback, nullable }: Schema) {
  return (value: Fields) => {
    if (Object.hasOwn(value, name) && value[name] === null && !nullable) delete value[name];
    if (fallback === undefined || (Object.hasOwn(value, name) && value[name] !== undefined)) return;
    setField(value, name, structuredClone(fallback));
  };
}

function mapSteps(additional: Schema): ((value: Fields) => void)[] {
  const inner = compileDefaults(additional);
  return [
    (value) => {
      for (const key of Object.keys(value)) {
        if (value[key] === null && !additional.nullable) delete value[key];
        else inner?.(value[key]);
      }
    },
  ];
}
