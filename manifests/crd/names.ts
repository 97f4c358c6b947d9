/**
 * Which of the names that a definition asks for it gets, and what its conditions say of that (k8s:
 * apiextensions-apiserver/pkg/controller/status/naming_controller.go).
 */
import type {
  CustomResourceDefinition,
  CustomResourceDefinitionNames,
} from "../schema/types.generated.ts";

export interface NameConflict {
  reason: string;
  message: string;
}

export interface Naming {
  accepted: CustomResourceDefinitionNames;
  /** Undefined when it gets all that it asks for. */
  conflict: NameConflict | undefined;
}

/** `others` are the other definitions; only those of its group matter. */
export function computeNaming(
  definition: CustomResourceDefinition,
  others: readonly CustomResourceDefinition[],
): Naming {
  const { group, names } = definition.spec;
  const peers = others.filter(
    ({ spec, metadata }) => spec.group === group && metadata.name !== definition.metadata.name,
  );
  const taken = namesTaken(peers);
  const accepted = { ...(definition.status?.acceptedNames ?? { plural: "", kind: "" }) };
  let conflict: NameConflict | undefined;
  const ask = <F extends keyof CustomResourceDefinitionNames>(
    field: F,
    reason: string,
    wanted: readonly string[],
    inGroup: ReadonlySet<string>,
  ) => {
    const held: readonly string[] = [accepted[field] ?? []].flat();
    const used = wanted.filter((name) => inGroup.has(name) && !held.includes(name));
    if (used.length === 0) accepted[field] = names[field];
    else conflict ??= { reason, message: used.map(inUse).join(", ") };
  };
  ask("plural", "PluralConflict", [names.plural], taken.resources);
  ask("singular", "SingularConflict", [names.singular ?? ""].filter(Boolean), taken.resources);
  ask("shortNames", "ShortNamesConflict", names.shortNames ?? [], taken.resources);
  ask("kind", "KindConflict", [names.kind], taken.kinds);
  ask("listKind", "ListKindConflict", [names.listKind ?? ""].filter(Boolean), taken.kinds);
  accepted.categories = names.categories;
  return { accepted: withoutUndefined(accepted), conflict };
}

function inUse(name: string): string {
  return `${JSON.stringify(name)} is already in use`;
}

function namesTaken(peers: readonly CustomResourceDefinition[]) {
  const resources = new Set<string>();
  const kinds = new Set<string>();
  for (const { status } of peers) {
    const { plural, singular, shortNames = [], kind, listKind } = status?.acceptedNames ?? {};
    for (const name of [plural, singular, ...shortNames]) if (name) resources.add(name);
    for (const name of [kind, listKind]) if (name) kinds.add(name);
  }
  return { resources, kinds };
}

function withoutUndefined(names: CustomResourceDefinitionNames): CustomResourceDefinitionNames {
  const kept = Object.entries(names).filter(([, value]) => value !== undefined);
  return Object.fromEntries(kept) as unknown as CustomResourceDefinitionNames;
}
