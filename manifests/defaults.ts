/**
 * Defaulting: fills in what a manifest leaves open, as the API server does before it admits and validates.
 *
 * Defaults belong to types, not to kinds: what a Container gets it gets in a Pod and in a CronJob alike. A walk over
 * the schema visits each value whose type has defaults, parents first, as upstream's generated code does. Simple ones
 * are markers in the table; those that upstream has in code are functions in kinds/.
 */
import { accessDefaults } from "./kinds/access-defaults.ts";
import { clusterDefaults } from "./kinds/cluster-defaults.ts";
import type { Kind, KubeObject } from "./kinds/kind.ts";
import { podDefaults } from "./kinds/pod-defaults.ts";
import { serviceDefaults } from "./kinds/service-defaults.ts";
import { workloadDefaults } from "./kinds/workload-defaults.ts";
import { isScalar, typeSchema } from "./schema/schema.ts";
import type { FieldSchema } from "./schema/table.ts";

type Fields = Record<string, unknown>;
type Walker = (value: Fields) => void;

const BY_TYPE = new Map<string, Walker>(
  [podDefaults, serviceDefaults, workloadDefaults, accessDefaults, clusterDefaults].flatMap(
    (table) => Object.entries(table) as [string, Walker][],
  ),
);

/** Fills in an object that `decode` made, in place, and returns it. */
export function setDefaults<T extends KubeObject>(kind: Kind<T>, object: T): T {
  if (kind.model) kind.model.setDefaults(object);
  else walkerFor(kind.typeName)?.(object as unknown as Fields);
  return object;
}

const walkers = new Map<string, Walker | undefined>();

/** Undefined when neither the type nor anything in it has a default. */
function walkerFor(typeName: string): Walker | undefined {
  if (walkers.has(typeName)) return walkers.get(typeName);
  // A type inside itself finds nothing here; the only such type, JSONSchemaProps, has no defaults.
  walkers.set(typeName, undefined);
  const walker = compile(typeName);
  walkers.set(typeName, walker);
  return walker;
}

function compile(typeName: string): Walker | undefined {
  const fields = Object.entries(typeSchema(typeName).fields);
  const own = BY_TYPE.get(typeName);
  const steps: Walker[] = own ? [own] : [];
  for (const [name, field] of fields) {
    const step = markerStep(name, field) ?? childStep(name, field);
    if (step) steps.push(step);
  }
  if (steps.length === 0) return undefined;
  return (value) => {
    for (const step of steps) step(value);
  };
}

function markerStep(name: string, field: FieldSchema): Walker | undefined {
  const fallback = field.default;
  if (fallback === undefined) return undefined;
  // Where absent and zero are the same, a default of zero says nothing.
  if (!field.pointer && !fallback) return undefined;
  return (value) => {
    const isUnset = field.pointer ? value[name] === undefined : !value[name];
    if (isUnset) value[name] = structuredClone(fallback);
  };
}

function childStep(name: string, field: FieldSchema): Walker | undefined {
  if (isScalar(field.type)) return undefined;
  const walker = walkerFor(field.type);
  if (!walker) return undefined;
  return (value) => {
    const child = value[name];
    if (child === undefined || child === null) return;
    if (!field.of) walker(child as Fields);
    else for (const item of Object.values(child as Record<string, Fields>)) walker(item);
  };
}
