/**
 * Admission: what a cluster's own rules make of a request that was authorized and is well formed.
 *
 * A chain of plugins in one order. First each may change the object (`mutate`), then, when it is
 * final and valid, each may refuse it (`validate`), and last each may add operations to its commit
 * (`reserve`). k8s: apiserver/pkg/admission/chain.go; `reserve` is ours: usage that is counted
 * belongs into the same atomic group as what it counts.
 */

import { forbidden } from "../../../manifests/api-error.ts";
import type { Kind, KubeObject } from "../../../manifests/index.ts";
import type { Operation } from "../../../runtime/store/store.ts";
import { nameOf, type Resource } from "../registry/registry.ts";
import type { User } from "../request.ts";
import type { Reader } from "./reader.ts";

export type AdmissionOperation = "CREATE" | "UPDATE" | "DELETE" | "CONNECT";

/** What a plugin decides by whether it is concerned at all. */
export interface Target {
  readonly operation: AdmissionOperation;
  readonly resource: Resource;
  readonly subresource: string;
}

export interface Attributes extends Target {
  readonly namespace: string;
  readonly name: string;
  /** As it shall be stored; undefined when it is deleted. Of a subresource that is an act, its body. */
  readonly object: KubeObject | undefined;
  /** As it is stored; undefined when it is new. */
  readonly old: KubeObject | undefined;
  readonly user: User;
  readonly dryRun: boolean;
  /** CreateOptions, UpdateOptions, PatchOptions or DeleteOptions, as webhooks are told them. */
  readonly options: Readonly<Record<string, unknown>>;
}

/** Verbs beyond the API's own are among them, such as `approve`. */
export interface Wanted {
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  readonly name: string;
  readonly subresource?: string;
  readonly namespace?: string;
}

export interface AdmissionContext {
  readonly reader: Reader;
  readonly random: { uuid(): string };
  /** RFC 3339, to the second. */
  readonly now: string;
  /** Whether the user may also do this. */
  allows(access: Wanted): Promise<boolean>;
  /** Told to the client beside the answer. */
  warn(message: string): void;
  /** Kept with the request's audit event. */
  annotate(key: string, value: string): void;
}

/** What goes into the commit beside the object, while others who want the same wait. */
export interface Reservation {
  readonly operations: readonly Operation[];
  /** Called once, whatever became of the commit. `sequences` are by key, when it went through. */
  release(sequences?: ReadonlyMap<string, number>): void;
}

type Soon<T> = T | Promise<T>;

/**
 * One rule. `handles` is asked once for each target and remembered, so what does not concern a
 * plugin costs nothing; a plugin that answers at once costs no promise.
 */
export interface Plugin {
  /** As `--enable-admission-plugins` calls it. */
  readonly name: string;
  /** Its changes are others' to see: once it has made one, the whole chain goes round again. */
  readonly reinvokes?: true;
  handles(target: Target): boolean;
  /** The object as it shall be; undefined leaves it as it is. Throws to refuse. */
  mutate?(attributes: Attributes, context: AdmissionContext): Soon<KubeObject | undefined>;
  validate?(attributes: Attributes, context: AdmissionContext): Soon<void>;
  reserve?(attributes: Attributes, context: AdmissionContext): Soon<Reservation | undefined>;
}

export interface Admission {
  mutate(attributes: Attributes, context: AdmissionContext): Soon<KubeObject | undefined>;
  validate(attributes: Attributes, context: AdmissionContext): Soon<void>;
  reserve(attributes: Attributes, context: AdmissionContext): Soon<Reservation | undefined>;
}

export function createAdmission(plugins: readonly Plugin[]): Admission {
  const concerned = rememberConcerned(plugins);
  return {
    mutate(attributes, context) {
      const chosen = concerned(attributes).mutate;
      if (chosen.length === 0) return attributes.object;
      return mutateAll(chosen, attributes, context);
    },
    validate(attributes, context) {
      const chosen = concerned(attributes).validate;
      return chosen.length === 0 ? undefined : validateAll(chosen, attributes, context);
    },
    reserve(attributes, context) {
      const chosen = concerned(attributes).reserve;
      return chosen.length === 0 ? undefined : reserveAll(chosen, attributes, context);
    },
  };
}

type Stage = "mutate" | "validate" | "reserve";
type Having<S extends Stage> = Plugin & Required<Pick<Plugin, S>>;
type Concerned = { readonly [S in Stage]: readonly Having<S>[] };

/** By resource first: a kind that comes and goes at run time takes its memory with it. */
function rememberConcerned(plugins: readonly Plugin[]): (target: Target) => Concerned {
  const known = new WeakMap<Resource, Map<string, Concerned>>();
  return (target) => {
    const ofResource = known.get(target.resource) ?? new Map<string, Concerned>();
    known.set(target.resource, ofResource);
    const key = `${target.operation} ${target.subresource}`;
    let found = ofResource.get(key);
    if (!found) {
      const handling = plugins.filter((plugin) => plugin.handles(target));
      found = {
        mutate: handling.filter((plugin): plugin is Having<"mutate"> => !!plugin.mutate),
        validate: handling.filter((plugin): plugin is Having<"validate"> => !!plugin.validate),
        reserve: handling.filter((plugin): plugin is Having<"reserve"> => !!plugin.reserve),
      };
      ofResource.set(key, found);
    }
    return found;
  };
}

async function mutateAll(
  plugins: readonly Having<"mutate">[],
  attributes: Attributes,
  context: AdmissionContext,
): Promise<KubeObject | undefined> {
  let { object } = attributes;
  let again = false;
  for (let round = 0; round === 0 || (again && round === 1); round++) {
    for (const plugin of plugins) {
      const answer = plugin.mutate({ ...attributes, object }, context);
      const mutated = (answer instanceof Promise ? await answer : answer) ?? object;
      if (mutated !== object && plugin.reinvokes) again = true;
      object = mutated;
    }
  }
  return object;
}

async function validateAll(
  plugins: readonly Having<"validate">[],
  attributes: Attributes,
  context: AdmissionContext,
): Promise<void> {
  for (const plugin of plugins) {
    const answer = plugin.validate(attributes, context);
    if (answer instanceof Promise) await answer;
  }
}

async function reserveAll(
  plugins: readonly Having<"reserve">[],
  attributes: Attributes,
  context: AdmissionContext,
): Promise<Reservation | undefined> {
  const reserved: Reservation[] = [];
  const release = (sequences?: ReadonlyMap<string, number>) => {
    for (const one of reserved) one.release(sequences);
  };
  try {
    for (const plugin of plugins) {
      const one = await plugin.reserve(attributes, context);
      if (one) reserved.push(one);
    }
  } catch (error) {
    release();
    throw error;
  }
  if (reserved.length === 0) return undefined;
  return { operations: reserved.flatMap(({ operations }) => operations), release };
}

/** Whether a target is one of these kinds in one of these operations, itself and no part of it. */
export function concerns(
  { operation, resource, subresource }: Target,
  kinds: readonly Kind[],
  ...operations: readonly AdmissionOperation[]
): boolean {
  return subresource === "" && operations.includes(operation) && kinds.includes(resource.stored);
}

/** `pods "web" is forbidden: …`, as every built-in plugin refuses. */
export function refused({ resource, name, object }: Attributes, why: string): Error {
  return forbidden(nameOf(resource), name || object?.metadata.name || "Unknown", why);
}
