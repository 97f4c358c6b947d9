/** A request as webhooks and CEL are told of it: AdmissionReview's `request`, admission.k8s.io/v1. */

import type { KubeObject } from "../../../manifests/index.ts";
import { subresource as subresourceOf } from "../../../manifests/index.ts";
import { userInfo } from "../authn/user.ts";
import type { Resource } from "../registry/registry.ts";
import type { Attributes } from "./chain.ts";
import { shownAs } from "./matching.ts";

export interface AdmissionRequest {
  readonly uid: string;
  readonly object: KubeObject | null;
  readonly oldObject: KubeObject | null;
  readonly [field: string]: unknown;
}

/** `as`: the version in which the rule wants to see it. */
export function requestOf(attributes: Attributes, as: Resource, uid: string): AdmissionRequest {
  const { resource, subresource, name, namespace, operation, user, dryRun, options } = attributes;
  const { object, old } = attributes;
  const part = subresource ? { subResource: subresource } : {};
  // The body of an act (a binding, an eviction) is a kind of its own already.
  const acts = subresourceOf(resource.kind, subresource)?.kind !== resource.kind.kind;
  const isAct = subresource !== "" && acts && old === undefined;
  const show = (one: KubeObject | undefined) =>
    one === undefined ? null : isAct ? one : shownAs(as, one);
  return {
    uid,
    kind: gvkOf(as, attributes, isAct),
    resource: gvrOf(as),
    ...part,
    requestKind: gvkOf(resource, attributes, isAct),
    requestResource: gvrOf(resource),
    ...(subresource ? { requestSubResource: subresource } : {}),
    name,
    ...(namespace ? { namespace } : {}),
    operation,
    userInfo: userInfo(user),
    object: show(object),
    oldObject: show(old),
    dryRun,
    options: Object.keys(options).length > 0 ? options : null,
  };
}

function gvkOf({ kind }: Resource, { subresource }: Attributes, isAct: boolean): object {
  if (!isAct) return { group: kind.group, version: kind.version, kind: kind.kind };
  const { apiVersion = "v1", kind: name } = subresourceOf(kind, subresource) ?? kind;
  const [version = "", group = ""] = apiVersion.split("/").reverse();
  return { group, version, kind: name };
}

function gvrOf({ kind: { group, version, resource } }: Resource): object {
  return { group, version, resource };
}
