/**
 * ResourceQuota: a namespace takes no more than it was given. k8s: plugin/pkg/admission/resourcequota.
 *
 * What an object takes is written into the quota's status in the same atomic group as the object,
 * so two API actors cannot both give the last of it, and nothing is counted that was not made.
 * Within one actor those who want the same quota go one after the other; between actors the
 * compare-and-set on the quota decides, and the loser asks again.
 *
 * Differs from Kubernetes: Leases have a stream of their own and are not counted.
 */

import {
  compareQuantity,
  encodeStored,
  type KubeObject,
  Lease,
  type Pod,
  ResourceQuota,
} from "../../../manifests/index.ts";
import {
  inScopes,
  limitsKind,
  missingFromPod,
  quotaUsage,
} from "../../../manifests/kinds/quota-usage.ts";
import {
  addLists,
  formatList,
  isPositive,
  pickFrom,
  type ResourceList,
  subtractLists,
} from "../../../manifests/kinds/resource-lists.ts";
import type { Operation } from "../../../runtime/store/store.ts";
import {
  type AdmissionContext,
  type Attributes,
  type Plugin,
  type Reservation,
  refused,
} from "./chain.ts";
import type { Found, Reader } from "./reader.ts";

/** Kinds whose usage can grow after they were made, and by which subresource. */
const growing: Readonly<Record<string, string>> = {
  services: "",
  persistentvolumeclaims: "",
  pods: "resize",
};

export function resourceQuota(): Plugin {
  const lanes = new Map<string, Promise<void>>();
  /** Quotas as this actor last wrote them, until its cache has caught up. */
  const written = new Map<string, Found<ResourceQuota>>();

  return {
    name: "ResourceQuota",

    handles({ operation, resource, subresource }) {
      const { namespaced, verbs, group, resource: plural } = resource.stored;
      const isEvent = plural === "events";
      if (!namespaced || !verbs.includes("get") || isEvent || resource.stored === Lease)
        return false;
      if (operation === "CREATE") return subresource === "";
      return operation === "UPDATE" && group === "" && growing[plural] === subresource;
    },

    reserve(attributes, context) {
      const { reader } = context;
      if (reader.entries(ResourceQuota, attributes.namespace).length === 0) return undefined;
      return reserve(attributes, context);
    },
  };

  async function reserve(
    attributes: Attributes,
    context: AdmissionContext,
  ): Promise<Reservation | undefined> {
    const { namespace, dryRun } = attributes;
    const unlock = await enter(namespace);
    try {
      const changes = await decide(attributes, context);
      if (changes.length === 0 || dryRun) {
        unlock();
        return undefined;
      }
      return {
        operations: changes.map(operationOf),
        release(sequences) {
          for (const { entry, object: quota } of sequences ? changes : []) {
            const sequence = sequences?.get(entry.key) ?? 0;
            written.set(entry.key, { entry: { ...entry, sequence }, object: quota });
          }
          unlock();
        },
      };
    } catch (error) {
      unlock();
      throw error;
    }
  }

  /** One at a time through a namespace. */
  async function enter(namespace: string): Promise<() => void> {
    const before = lanes.get(namespace);
    let leave: () => void = () => {};
    const lane = new Promise<void>((resolve) => {
      leave = resolve;
    });
    lanes.set(namespace, lane);
    await before;
    return () => {
      leave();
      if (lanes.get(namespace) === lane) lanes.delete(namespace);
    };
  }

  async function decide(
    attributes: Attributes,
    { reader, now }: AdmissionContext,
  ): Promise<Found<ResourceQuota>[]> {
    const nowMs = Date.parse(now);
    const first = computeCharges(attributes, current(reader, attributes.namespace), nowMs);
    if (first.type === "charged") return first.quotas;
    // What was given back elsewhere may not have arrived here yet.
    await reader.caughtUp();
    const second = computeCharges(attributes, current(reader, attributes.namespace), nowMs);
    if (second.type === "charged") return second.quotas;
    throw refused(attributes, second.why);
  }

  function current(reader: Reader, namespace: string): Found<ResourceQuota>[] {
    return reader.entries(ResourceQuota, namespace).map((found) => {
      const mine = written.get(found.entry.key);
      if (mine && mine.entry.sequence > found.entry.sequence) return mine;
      written.delete(found.entry.key);
      return found;
    });
  }
}

function operationOf({ entry, object }: Found<ResourceQuota>): Operation {
  const value = new TextEncoder().encode(encodeStored(object));
  return { key: entry.key, value, expected: entry.sequence, uid: object.metadata.uid };
}

type Charges =
  | { type: "charged"; quotas: Found<ResourceQuota>[] }
  | { type: "refused"; why: string };

/** The quotas as they are to be written, with what the object adds to them. */
export function computeCharges(
  { resource, object, old }: Pick<Attributes, "resource" | "object" | "old">,
  quotas: readonly Found<ResourceQuota>[],
  nowMs: number,
): Charges {
  const kind = resource.stored;
  if (!object) return { type: "charged", quotas: [] };
  const usage = quotaUsage(kind, object, nowMs);
  const before = old ? quotaUsage(kind, old, nowMs) : {};
  const delta = pickFrom(subtractLists(usage, before), (_name, amount) => isPositive(amount));
  const charged: Found<ResourceQuota>[] = [];
  for (const found of quotas) {
    const quota = found.object;
    if (!inScopes(quota, kind, object)) continue;
    const names = Object.keys(quota.spec?.hard ?? {}).filter((name) => limitsKind(kind, name));
    if (names.length === 0) continue;
    const verdict = chargeOne(quota, names, delta, object, kind.resource === "pods" && !kind.group);
    if (typeof verdict === "string") return { type: "refused", why: verdict };
    if (verdict) charged.push({ ...found, object: verdict });
  }
  return { type: "charged", quotas: charged };
}

/** The quota after it, undefined when it takes nothing of this one, or why not. */
function chargeOne(
  quota: ResourceQuota,
  names: readonly string[],
  delta: ResourceList,
  object: KubeObject,
  isPod: boolean,
): ResourceQuota | string | undefined {
  const { name } = quota.metadata;
  const { hard = {}, used = {} } = quota.status ?? {};
  const limited = names.filter((one) => hard[one] !== undefined);
  const missing = isPod ? missingFromPod(object as Pod, limited) : undefined;
  if (missing) return `failed quota: ${name}: ${missing}`;
  const unknown = limited.filter((one) => used[one] === undefined);
  if (unknown.length > 0) {
    return `status unknown for quota: ${name}, resources: ${unknown.sort().join(",")}`;
  }
  const requested = pickFrom(delta, (one) => names.includes(one));
  if (Object.keys(requested).length === 0) return undefined;
  // One that nobody has counted yet is written unchanged, so that the count begins anew.
  const counted = pickFrom(requested, (one) => limited.includes(one));
  const after = addLists(used, counted);
  const exceeded = Object.keys(counted).filter(
    (one) => compareQuantity(after[one] ?? "0", hard[one] ?? "0") > 0,
  );
  if (exceeded.length === 0) {
    return { ...quota, status: { ...quota.status, hard, used: after } } as ResourceQuota;
  }
  const only = (list: ResourceList) => formatList(pickFrom(list, (one) => exceeded.includes(one)));
  return (
    `exceeded quota: ${name}, requested: ${only(counted)}, ` +
    `used: ${only(used)}, limited: ${only(hard)}`
  );
}
