/** Who owns an object, and the reference that says so. */
import type { OwnerReference } from "../schema/types.generated.ts";
import type { Kind, KubeObject } from "./kind.ts";

/** The reference that makes `owner` the controller of another object. */
export function controllerReference<T extends KubeObject>(kind: Kind<T>, owner: T): OwnerReference {
  const { name, uid } = owner.metadata;
  if (!uid) throw new Error(`${kind.kind} ${name} has no uid yet, so it cannot own anything`);
  return {
    apiVersion: kind.apiVersion,
    kind: kind.kind,
    name,
    uid,
    controller: true,
    blockOwnerDeletion: true,
  };
}

/** The owner that looks after the object, if one does. */
export function controllerOf(object: KubeObject): OwnerReference | undefined {
  return object.metadata.ownerReferences?.find((owner) => owner.controller);
}

export function isControlledBy(object: KubeObject, owner: KubeObject): boolean {
  return controllerOf(object)?.uid === owner.metadata.uid;
}
