/**
 * ValidatingAdmissionPolicy: rules in CEL, bound to where they hold and to their parameters.
 * k8s: apiserver/pkg/admission/plugin/policy/validating/dispatcher.go.
 *
 * Differs from Kubernetes: the types of a policy's expressions are not checked ahead of requests.
 */

import { ApiError } from "../../../manifests/api-error.ts";
import {
  fromLabelSelector,
  type Kind,
  type KubeObject,
  type MatchResources,
  matchesSelector,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
} from "../../../manifests/index.ts";
import type { Resource } from "../registry/registry.ts";
import { type AdmissionContext, type Attributes, type Plugin, refused } from "./chain.ts";
import { type Criteria, findMatch, mayBeRuled } from "./matching.ts";
import { type Failure, judgePolicy } from "./policy.ts";

const codes: Readonly<Record<string, number>> = {
  Unauthorized: 401,
  Forbidden: 403,
  Invalid: 422,
  RequestEntityTooLarge: 413,
};

export const validatingPolicies: Plugin = {
  name: "ValidatingAdmissionPolicy",
  handles: mayBeRuled,
  validate(attributes, context) {
    const bindings = context.reader.list(ValidatingAdmissionPolicyBinding);
    return bindings.length === 0 ? undefined : judgeAll(bindings, attributes, context);
  },
};

async function judgeAll(
  bindings: readonly ValidatingAdmissionPolicyBinding[],
  attributes: Attributes,
  context: AdmissionContext,
): Promise<void> {
  const judge = async () => {
    const found: Found[] = [];
    for (const binding of bindings) {
      const failures = await judgeBinding(binding, attributes, context);
      found.push(...failures.map((failure) => ({ binding, failure })));
    }
    return found;
  };
  let found = await judge();
  if (found.some(({ failure }) => failure.absent)) {
    // A parameter may have been made a moment ago, elsewhere.
    await context.reader.caughtUp();
    found = await judge();
  }
  conclude(found, attributes, context);
}

interface Found {
  readonly binding: ValidatingAdmissionPolicyBinding;
  readonly failure: Failure;
}

/** What becomes of the failures, by what their bindings say. */
function conclude(
  found: readonly Found[],
  attributes: Attributes,
  { warn, annotate }: AdmissionContext,
): void {
  const told: object[] = [];
  let denial: Error | undefined;
  for (const { binding, failure } of found) {
    const { policyName: policy = "", validationActions = [] } = binding.spec;
    const { name } = binding.metadata;
    const { message, index: expressionIndex = 0 } = failure;
    if (validationActions.includes("Deny")) denial ??= denied(attributes, policy, name, failure);
    if (validationActions.includes("Warn")) {
      const where = `ValidatingAdmissionPolicy '${policy}' with binding '${name}'`;
      warn(`Validation failed for ${where}: ${message}`);
    }
    if (validationActions.includes("Audit")) {
      told.push({ message, policy, binding: name, expressionIndex, validationActions });
    }
  }
  if (told.length > 0) {
    annotate("validation.policy.admission.k8s.io/validation_failure", JSON.stringify(told));
  }
  if (denial) throw denial;
}

async function judgeBinding(
  { spec }: ValidatingAdmissionPolicyBinding,
  attributes: Attributes,
  context: AdmissionContext,
): Promise<Failure[]> {
  const policy = context.reader.get(ValidatingAdmissionPolicy, "", spec.policyName ?? "");
  if (!policy) return [];
  const as = findMatch(criteriaOf(policy.spec.matchConstraints), attributes, context);
  if (!as) return [];
  const narrowed = spec.matchResources;
  if (narrowed && !isWithin(narrowed, attributes, context)) return [];
  const params = paramsOf(policy, spec, attributes, context);
  if (!Array.isArray(params)) return policy.spec.failurePolicy === "Ignore" ? [] : [params];
  const found: Failure[] = [];
  for (const param of params) {
    const judged = await judgePolicy(policy, param, as, attributes, context);
    for (const [key, value] of judged.annotations) context.annotate(key, value);
    found.push(...judged.failures);
  }
  return found;
}

function criteriaOf(resources: MatchResources = {}): Criteria {
  const { resourceRules, excludeResourceRules, ...rest } = resources;
  return { ...rest, rules: resourceRules, excluded: excludeResourceRules };
}

const anything = {
  operations: ["*"],
  apiGroups: ["*"],
  apiVersions: ["*"],
  resources: ["*", "*/*"],
};

/** A binding without rules of its own takes over those of its policy. */
function isWithin(
  resources: MatchResources,
  attributes: Attributes,
  context: AdmissionContext,
): Resource | undefined {
  const criteria = criteriaOf(resources);
  const rules = criteria.rules && criteria.rules.length > 0 ? criteria.rules : [anything];
  return findMatch({ ...criteria, rules }, attributes, context);
}

/** Each is judged by itself; `undefined` alone: the policy has none. Else why they are not to be had. */
function paramsOf(
  { spec: { paramKind } }: ValidatingAdmissionPolicy,
  { paramRef }: ValidatingAdmissionPolicyBinding["spec"],
  { namespace: ofRequest }: Attributes,
  { reader }: AdmissionContext,
): (KubeObject | undefined)[] | Failure {
  if (!paramKind) return [undefined];
  const { apiVersion = "", kind: name = "" } = paramKind as { apiVersion?: string; kind?: string };
  const kind: Kind | undefined = reader.kindOf(apiVersion, name);
  if (!kind) {
    const why = `failed to find resource referenced by paramKind: '${apiVersion}, Kind=${name}'`;
    return { message: `failed to configure policy: ${why}` };
  }
  if (!paramRef) return [undefined];
  const namespace = paramRef.namespace || ofRequest;
  if (kind.namespaced && !namespace) {
    const why =
      "cannot use namespaced paramRef in policy binding that matches cluster-scoped resources";
    return { message: `failed to configure binding: ${why}` };
  }
  const found = paramRef.name
    ? [reader.get(kind, namespace, paramRef.name)].filter((one) => one !== undefined)
    : reader
        .list(kind, kind.namespaced ? namespace : "")
        .filter(({ metadata }) =>
          matchesSelector(fromLabelSelector(paramRef.selector ?? {}), metadata.labels ?? {}),
        );
  if (found.length > 0 || paramRef.parameterNotFoundAction === "Allow") return found;
  const why = "no params found for policy binding with `Deny` parameterNotFoundAction";
  return { message: `failed to configure binding: ${why}`, absent: true };
}

function denied(
  attributes: Attributes,
  policy: string,
  binding: string,
  { message, reason = "Invalid" }: Failure,
): Error {
  const why = `ValidatingAdmissionPolicy '${policy}' with binding '${binding}' denied request: ${message}`;
  const error = refused(attributes, why);
  if (error instanceof ApiError) {
    error.status.reason = reason;
    error.status.code = codes[reason] ?? 422;
    error.status.details = { ...error.status.details, causes: [{ message: why }] };
  }
  return error;
}
