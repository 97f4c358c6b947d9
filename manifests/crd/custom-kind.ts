/** The kinds that a CustomResourceDefinition brings: one for each version that is served. */
import type { Kind, KubeObject } from "../kinds/kind.ts";
import { ALL_VERBS } from "../kinds/kind.ts";
import type { Model, ScalePaths } from "../kinds/model.ts";
import type {
  CustomResourceDefinition,
  CustomResourceDefinitionVersion,
  CustomResourceSubresourceScale,
} from "../schema/types.generated.ts";
import type { FieldErrorReason } from "../validation/field-error.ts";
import { compileDefaults } from "./defaults.ts";
import { simplePath } from "./json-path.ts";
import { publishedSchema } from "./openapi.ts";
import { customPrinter } from "./printer.ts";
import { pruneObject } from "./prune.ts";
import { compileRules, type RuleChecker } from "./rules.ts";
import { type Fields, isFields, type Schema } from "./schema.ts";
import { objectType } from "./type-ref.ts";
import { validateListTypes, validateValue } from "./validate-value.ts";

/** Keeps a definition that was deleted until its objects are gone. */
export const definitionFinalizer = "customresourcecleanup.apiextensions.k8s.io";

/** One version of a custom kind, with what the API needs to know of its objects. */
export function customKind(
  definition: CustomResourceDefinition,
  version: CustomResourceDefinitionVersion,
): Kind {
  const kind = customKindName(definition, version.name);
  return Object.freeze({
    ...kind,
    subresources: subresourcesOf(version),
    model: createModel(version, kind),
  });
}

/** What names the kind to a client, without what the API alone needs. */
export function customKindName(definition: CustomResourceDefinition, version: string): Kind {
  const { group, scope } = definition.spec;
  const names = definition.status?.acceptedNames ?? definition.spec.names;
  const { kind, plural, singular, listKind, shortNames, categories } = names;
  return {
    group,
    version,
    kind,
    resource: plural,
    singular: singular || kind.toLowerCase(),
    listKind: listKind || `${kind}List`,
    apiVersion: `${group}/${version}`,
    namespaced: scope === "Namespaced",
    shortNames: shortNames ?? [],
    categories: categories ?? [],
    subresources: [],
    verbs: ALL_VERBS,
    // As upstream names the schema; a built-in type's name never begins with a domain.
    typeName: `${group.split(".").reverse().join(".")}.${version}.${kind}`,
  };
}

/** The kind by which the objects of an established definition are found, whichever versions are served. */
export function storedCustomKind(definition: CustomResourceDefinition): Kind | undefined {
  const version = isEstablished(definition) ? storageVersion(definition) : undefined;
  return version && customKindName(definition, version.name);
}

export function isEstablished({ status }: CustomResourceDefinition): boolean {
  return hasCondition(status, "Established");
}

export function hasCondition(
  status: CustomResourceDefinition["status"] | undefined,
  type: string,
): boolean {
  return status?.conditions?.some((each) => each.type === type && each.status === "True") ?? false;
}

/** Undefined only for a definition that was never valid. */
export function storageVersion({
  spec,
}: CustomResourceDefinition): CustomResourceDefinitionVersion | undefined {
  return spec.versions.find(({ storage }) => storage);
}

/**
 * The preferred version first: stable before beta before alpha before any other name, the newest of each first
 * (k8s: apimachinery/pkg/version CompareKubeAwareVersionStrings).
 */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [rankOf(a), rankOf(b)];
  for (const [at, rank] of left.entries()) {
    const other = right[at] ?? 0;
    if (rank !== other) return other - rank;
  }
  return a < b ? -1 : a > b ? 1 : 0;
}

/** How stable, then the numbers; names that say neither are last and in their order. */
function rankOf(version: string): number[] {
  const match = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(version);
  if (!match) return [0, 0, 0];
  const [, major, stage, minor] = match;
  return [stage === undefined ? 3 : stage === "beta" ? 2 : 1, Number(major), Number(minor ?? 0)];
}

/** Told to whoever asks for the version; undefined while it is not deprecated. */
export function deprecationWarning(
  { spec }: CustomResourceDefinition,
  { name, deprecated, deprecationWarning: words }: CustomResourceDefinitionVersion,
): string | undefined {
  return deprecated
    ? (words ?? `${spec.group}/${name} ${spec.names.kind} is deprecated`)
    : undefined;
}

export function schemaOf(version: CustomResourceDefinitionVersion): Schema {
  return version.schema?.openAPIV3Schema ?? {};
}

function subresourcesOf({ subresources }: CustomResourceDefinitionVersion): string[] {
  return [...(subresources?.status ? ["status"] : []), ...(subresources?.scale ? ["scale"] : [])];
}

/** What rules could stumble over: they are not run then (k8s: customresource/strategy.go hasBlockingErr). */
const BLOCKING: ReadonlySet<FieldErrorReason> = new Set([
  "FieldValueRequired",
  "FieldValueTooLong",
  "FieldValueTooMany",
  "FieldValueTypeInvalid",
]);
const RULES_LEFT =
  "some validation rules were not checked because the object was invalid; correct the existing errors to complete validation";

function createModel(version: CustomResourceDefinitionVersion, kind: Kind): Model {
  const schema = schemaOf(version);
  const fill = compileDefaults(schema);
  // Most definitions that a process knows have no object written while it lives.
  let rules: { readonly check: RuleChecker | undefined } | undefined;
  const scale = version.subresources?.scale;
  return {
    decode: (value, unknown) => pruneObject(schema, value, unknown) as unknown as KubeObject,
    setDefaults: (object) => fill?.(object),
    validate(errors, object, old) {
      validateValue(errors, schema, object, old);
      validateListTypes(errors, schema, object, old);
      rules ??= { check: compileRules(schema) };
      if (!rules.check) return;
      if (errors.list.some(({ reason }) => BLOCKING.has(reason))) {
        errors.invalid("<nil>", "null", RULES_LEFT);
      } else rules.check(errors, object, old);
    },
    type: objectType(schema),
    fields: ["metadata", ...Object.keys(schema.properties ?? {})],
    printer: customPrinter(version.additionalPrinterColumns),
    selectable: selectableOf(version),
    ...(scale ? { scale: scalePathsOf(scale) } : {}),
    openapi: () => publishedSchema(schema, kind),
  };
}

function selectableOf({ selectableFields = [] }: CustomResourceDefinitionVersion) {
  return Object.fromEntries(
    selectableFields.map(({ jsonPath }) => {
      const path = simplePath(jsonPath) ?? [];
      return [path.join("."), (object: KubeObject) => valueAt(object, path)];
    }),
  );
}

function scalePathsOf(scale: CustomResourceSubresourceScale): ScalePaths {
  const { specReplicasPath, statusReplicasPath, labelSelectorPath } = scale;
  const labelSelector = labelSelectorPath ? simplePath(labelSelectorPath) : undefined;
  return {
    specReplicas: simplePath(specReplicasPath) ?? [],
    statusReplicas: simplePath(statusReplicasPath) ?? [],
    ...(labelSelector ? { labelSelector } : {}),
  };
}

/** Undefined when there is nothing at the end of the path. */
export function valueAt(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (inner, name) => (isFields(inner) && Object.hasOwn(inner, name) ? inner[name] : undefined),
    value,
  );
}

/** A copy in which the path ends in `given`. */
export function withValueAt<T extends object>(
  value: T,
  [name, ...rest]: readonly string[],
  given: unknown,
): T {
  if (name === undefined) return value;
  const inner = (value as Fields)[name];
  const next = rest.length > 0 ? withValueAt(isFields(inner) ? inner : {}, rest, given) : given;
  return { ...value, [name]: next };
}
