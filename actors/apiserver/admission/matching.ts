/**
 * Which requests a webhook or a policy is about: rules, selectors, and what else is the same object.
 * k8s: apiserver/pkg/admission/plugin/webhook/{predicates,generic}.
 */

import {
  fromLabelSelector,
  type KubeObject,
  type LabelSelector,
  MutatingWebhookConfiguration,
  matchesSelector,
  Namespace,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  ValidatingWebhookConfiguration,
} from "../../../manifests/index.ts";
import type { Resource } from "../registry/registry.ts";
import type { AdmissionContext, Attributes, Target } from "./chain.ts";

export interface Rule {
  readonly operations?: readonly string[];
  readonly apiGroups?: readonly string[];
  readonly apiVersions?: readonly string[];
  readonly resources?: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly scope?: string;
}

export interface Criteria {
  readonly rules?: readonly Rule[];
  readonly excluded?: readonly Rule[];
  readonly matchPolicy?: string;
  readonly namespaceSelector?: LabelSelector;
  readonly objectSelector?: LabelSelector;
}

/** What rules are made of is beyond them, or one could lock everybody out for ever. */
const exempt: readonly unknown[] = [
  MutatingWebhookConfiguration,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  ValidatingWebhookConfiguration,
];

export function mayBeRuled({ resource }: Target): boolean {
  return !exempt.includes(resource.stored);
}

/** The resource as a rule names it, undefined when none is about the request. */
export function findMatch(
  criteria: Criteria,
  attributes: Attributes,
  { reader }: Pick<AdmissionContext, "reader">,
): Resource | undefined {
  const { rules = [], excluded = [], matchPolicy } = criteria;
  const { resource } = attributes;
  const seenAs = [resource];
  if (matchPolicy !== "Exact") {
    seenAs.push(...reader.versionsOf(resource).filter((other) => other !== resource));
  }
  if (excluded.some((rule) => seenAs.some((as) => covers(rule, attributes, as)))) return undefined;
  const found = seenAs.find((as) => rules.some((rule) => covers(rule, attributes, as)));
  if (!found) return undefined;
  const { namespaceSelector, objectSelector } = criteria;
  if (!inNamespaces(namespaceSelector, attributes, reader)) return undefined;
  return isSelected(objectSelector, attributes) ? found : undefined;
}

function covers(rule: Rule, attributes: Attributes, { kind }: Resource): boolean {
  const { operation, namespace, name, subresource } = attributes;
  const among = (list: readonly string[] | undefined, one: string) =>
    list?.some((item) => item === "*" || item === one) ?? false;
  const namespaced = namespace !== "" && attributes.resource.stored !== Namespace;
  const { scope = "*", resources = [], resourceNames = [] } = rule;
  if (scope !== "*" && (scope === "Namespaced") !== namespaced) return false;
  if (resourceNames.length > 0 && !resourceNames.includes(name)) return false;
  return (
    among(rule.operations, operation) &&
    among(rule.apiGroups, kind.group) &&
    among(rule.apiVersions, kind.version) &&
    resources.some((pattern) => {
      const [plural, part = ""] = pattern.split("/", 2);
      return (plural === "*" || plural === kind.resource) && (part === "*" || part === subresource);
    })
  );
}

function inNamespaces(
  selector: LabelSelector | undefined,
  { resource, namespace, object, old }: Attributes,
  reader: AdmissionContext["reader"],
): boolean {
  if (!selector || Object.keys(selector).length === 0) return true;
  const self = resource.stored === Namespace;
  if (!self && !namespace) return true;
  const found = self ? (object ?? old) : reader.get(Namespace, "", namespace);
  return matchesSelector(fromLabelSelector(selector), found?.metadata.labels ?? {});
}

/** The object as it was or as it shall be. */
function isSelected(selector: LabelSelector | undefined, { object, old }: Attributes): boolean {
  if (!selector || Object.keys(selector).length === 0) return true;
  const wanted = fromLabelSelector(selector);
  const fits = (one: KubeObject | undefined) =>
    one?.metadata !== undefined && matchesSelector(wanted, one.metadata.labels ?? {});
  return fits(object) || fits(old);
}

/** An object as one version of its kind shows it. */
export function shownAs({ kind }: Resource, object: KubeObject): KubeObject {
  const shown = kind.conversion?.fromStored(object) ?? object;
  return { ...shown, apiVersion: kind.apiVersion, kind: kind.kind };
}
