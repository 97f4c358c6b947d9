/**
 * Whose an object is: adopting what a selector matches and nobody controls, releasing what it no
 * longer matches (k8s:pkg/controller/controller_ref_manager.go).
 */

import { isInvalid, isNotFound } from "../../manifests/api-error.ts";
import type { Kind, KubeObject, LabelSelector, OwnerReference } from "../../manifests/index.ts";
import { selectsLabels } from "../../manifests/kinds/label-selector.ts";
import type { Api } from "../kit/client.ts";
import { keyOf } from "../kit/object.ts";

export function controllerOf({ metadata }: KubeObject): OwnerReference | undefined {
  return metadata.ownerReferences?.find(({ controller }) => controller);
}

/** The reference that marks an object as controlled by `owner`. */
export function controllerReference(kind: Kind, { metadata }: KubeObject): OwnerReference {
  return {
    apiVersion: kind.apiVersion,
    kind: kind.kind,
    name: metadata.name,
    uid: metadata.uid ?? "",
    controller: true,
    blockOwnerDeletion: true,
  };
}

export interface Claims<T> {
  owned: T[];
  adopt: T[];
  release: T[];
}

export function computeClaims<T extends KubeObject>(
  owner: KubeObject,
  selector: LabelSelector,
  candidates: readonly T[],
): Claims<T> {
  const claims: Claims<T> = { owned: [], adopt: [], release: [] };
  const deleting = Boolean(owner.metadata.deletionTimestamp);
  for (const candidate of candidates) {
    const controller = controllerOf(candidate);
    const selected = selectsLabels(selector, candidate.metadata.labels);
    if (controller) {
      if (controller.uid !== owner.metadata.uid) continue;
      if (selected) claims.owned.push(candidate);
      else if (!deleting) claims.release.push(candidate);
    } else if (selected && !deleting && !candidate.metadata.deletionTimestamp) {
      claims.adopt.push(candidate);
    }
  }
  return claims;
}

interface Claim<O extends KubeObject, T extends KubeObject> {
  ownerKind: Kind<O>;
  owner: O;
  selector: LabelSelector;
  kind: Kind<T>;
  candidates: readonly T[];
}

/** Carries the claims out and resolves with all that is the owner's now. */
export async function claim<O extends KubeObject, T extends KubeObject>(
  api: Api,
  { ownerKind, owner, selector, kind, candidates }: Claim<O, T>,
): Promise<T[]> {
  const { owned, adopt, release } = computeClaims(owner, selector, candidates);
  for (const object of release) await releaseOne(api, kind, object, owner);
  if (adopt.length === 0 || !(await mayAdopt(api, ownerKind, owner))) return owned;
  for (const object of adopt) {
    const adopted = await adoptOne(api, kind, object, controllerReference(ownerKind, owner));
    if (adopted) owned.push(adopted);
  }
  return owned;
}

/** The cache may not know yet that the owner is being deleted, or is another one by now. */
async function mayAdopt<O extends KubeObject>(api: Api, kind: Kind<O>, owner: O): Promise<boolean> {
  const fresh = await api.get(kind, keyOf(owner));
  return fresh.metadata.uid === owner.metadata.uid && !fresh.metadata.deletionTimestamp;
}

/** The uid in the patch makes it fail on another object of the same name. */
async function adoptOne<T extends KubeObject>(
  api: Api,
  kind: Kind<T>,
  object: T,
  reference: OwnerReference,
): Promise<T | undefined> {
  const { uid } = object.metadata;
  const patch = { metadata: { uid, ownerReferences: [reference] } };
  try {
    return await api.patch(kind, keyOf(object), patch, { type: "strategic" });
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

async function releaseOne<T extends KubeObject>(
  api: Api,
  kind: Kind<T>,
  object: T,
  owner: KubeObject,
): Promise<void> {
  const reference = { $patch: "delete", uid: owner.metadata.uid };
  const patch = { metadata: { uid: object.metadata.uid, ownerReferences: [reference] } };
  try {
    await api.patch(kind, keyOf(object), patch, { type: "strategic" });
  } catch (error) {
    // Gone, or released by somebody else already: both are what we wanted.
    if (!isNotFound(error) && !isInvalid(error)) throw error;
  }
}
