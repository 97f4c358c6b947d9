/**
 * OwnerReferencesPermissionEnforcement, off unless asked for: who makes an object go with its owner
 * may delete it, and who makes an owner wait for it may change that owner's finalizers.
 * k8s: plugin/pkg/admission/gc.
 */

import equal from "fast-deep-equal";
import type { OwnerReference } from "../../../manifests/index.ts";
import { type AdmissionContext, type Attributes, type Plugin, refused } from "./chain.ts";

export const ownerReferencesPermissionEnforcement: Plugin = {
  name: "OwnerReferencesPermissionEnforcement",
  handles: ({ operation, subresource, resource }) =>
    (operation === "CREATE" || operation === "UPDATE") &&
    subresource === "" &&
    resource.kind.verbs.includes("get"),
  validate(attributes, context) {
    const { object, old } = attributes;
    const after = object?.metadata.ownerReferences ?? [];
    const before = old?.metadata.ownerReferences ?? [];
    if (equal(after, before)) return undefined;
    return assertMayOwn(attributes, after, before, context);
  },
};

async function assertMayOwn(
  attributes: Attributes,
  after: readonly OwnerReference[],
  before: readonly OwnerReference[],
  context: AdmissionContext,
): Promise<void> {
  const { old, resource, namespace, name } = attributes;
  const { group, resource: plural } = resource.kind;
  const removal = { verb: "delete", group, resource: plural, namespace, name };
  if (old && !(await context.allows(removal))) {
    throw refused(attributes, "cannot set an ownerRef on a resource you can't delete");
  }
  const waited = before.filter(({ blockOwnerDeletion }) => blockOwnerDeletion);
  for (const owner of after) {
    const known = waited.some(({ uid }) => uid === owner.uid);
    if (owner.blockOwnerDeletion && !known) await assertMayBlock(owner, attributes, context);
  }
}

async function assertMayBlock(
  { apiVersion, kind: name, name: owner }: OwnerReference,
  attributes: Attributes,
  { reader, allows }: AdmissionContext,
): Promise<void> {
  const kind = reader.kindOf(apiVersion, name);
  if (!kind) {
    const why = `can't find RESTMapping for ownerRef ${owner}: no matches for kind "${name}"`;
    throw refused(attributes, `cannot set blockOwnerDeletion in this case because ${why}`);
  }
  const namespace = kind.namespaced ? attributes.namespace : "";
  const { group, resource } = kind;
  if (
    await allows({
      verb: "update",
      group,
      resource,
      subresource: "finalizers",
      namespace,
      name: owner,
    })
  )
    return;
  throw refused(
    attributes,
    "cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set finalizers on",
  );
}
