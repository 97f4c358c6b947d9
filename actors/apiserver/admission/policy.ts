/**
 * One ValidatingAdmissionPolicy put to one request with one parameter: what its expressions say.
 * k8s: apiserver/pkg/admission/plugin/policy/validating/validator.go.
 */

import type { CelProgram } from "../../../manifests/cel/cel.ts";
import { toCel } from "../../../manifests/cel/values.ts";
import {
  type KubeObject,
  Namespace,
  type ValidatingAdmissionPolicy,
  type Validation,
} from "../../../manifests/index.ts";
import type { Resource } from "../registry/registry.ts";
import type { AdmissionContext, Attributes } from "./chain.ts";
import { judgeConditions, programOf, requestBindings, requestVariables } from "./conditions.ts";
import { requestOf } from "./review.ts";

/** Why a request does not hold against a policy, and where it says so. */
export interface Failure {
  readonly message: string;
  readonly reason?: string;
  /** Of the validation; undefined: it is the policy itself that came to no result. */
  readonly index?: number;
  /** Something that it needs was not found, here and now. */
  readonly absent?: true;
}

export interface Judgement {
  readonly failures: readonly Failure[];
  readonly annotations: ReadonlyMap<string, string>;
}

const policyVariables = [...requestVariables, "params", "namespaceObject", "variables"];
const mostMessage = 5 * 1024;

export async function judgePolicy(
  policy: ValidatingAdmissionPolicy,
  param: KubeObject | undefined,
  as: Resource,
  attributes: Attributes,
  context: AdmissionContext,
): Promise<Judgement> {
  const scope = createScope(policy, param, as, attributes, context);
  const { matchConditions, failurePolicy, validations = [], auditAnnotations = [] } = policy.spec;
  const forgiving = failurePolicy === "Ignore";
  const verdict = await judgeConditions(matchConditions, () => scope.bindings, policyVariables);
  if (verdict.type === "unmatched") return { failures: [], annotations: new Map() };
  if (verdict.type === "failed") {
    const failures = forgiving ? [] : [{ message: verdict.why }];
    return { failures, annotations: new Map() };
  }
  const failures: Failure[] = [];
  for (const [index, validation] of validations.entries()) {
    const failure = await judge(validation, scope, forgiving);
    if (failure) failures.push({ ...failure, index });
  }
  const annotations = new Map<string, string>();
  for (const { key, valueExpression } of auditAnnotations) {
    const value = await attempt(() => scope.run(valueExpression));
    if (value.type === "value" && typeof value.value === "string") {
      annotations.set(`${policy.metadata.name}/${key}`, value.value);
    } else if (value.type === "error" && !forgiving) failures.push({ message: value.why });
  }
  return { failures, annotations };
}

async function judge(
  { expression, message, messageExpression, reason }: Validation,
  scope: Scope,
  forgiving: boolean,
): Promise<Failure | undefined> {
  const outcome = await attempt(() => scope.run(expression));
  if (outcome.type === "error") {
    const why = `expression '${expression.trim()}' resulted in error: ${outcome.why}`;
    return forgiving ? undefined : { message: why };
  }
  if (outcome.value === true) return undefined;
  const said = messageExpression ? await attempt(() => scope.run(messageExpression)) : undefined;
  const worded = said?.type === "value" && isMessage(said.value) ? said.value.trim() : undefined;
  return {
    message: worded ?? (message?.trim() || `failed expression: ${expression.trim()}`),
    ...(reason ? { reason } : {}),
  };
}

/** Anything else falls back to the message that does not need evaluating. */
function isMessage(value: unknown): value is string {
  if (typeof value !== "string" || value.trim() === "") return false;
  return !value.includes("\n") && value.length <= mostMessage;
}

type Outcome = { type: "value"; value: unknown } | { type: "error"; why: string };

async function attempt(act: () => Promise<unknown>): Promise<Outcome> {
  try {
    return { type: "value", value: await act() };
  } catch (error) {
    return { type: "error", why: error instanceof Error ? error.message : String(error) };
  }
}

interface Scope {
  readonly bindings: Record<string, unknown>;
  run(expression: string): Promise<unknown>;
}

function createScope(
  policy: ValidatingAdmissionPolicy,
  param: KubeObject | undefined,
  as: Resource,
  attributes: Attributes,
  context: AdmissionContext,
): Scope {
  const request = requestOf(attributes, as, context.random.uuid());
  const { namespace, resource } = attributes;
  const inNamespace = namespace !== "" && resource.stored !== Namespace;
  const place = inNamespace ? context.reader.get(Namespace, "", namespace) : undefined;
  const expressions = new Map(
    (policy.spec.variables ?? []).map(({ name, expression }) => [name, expression]),
  );
  const known = new Map<string, Outcome>();

  /** Each once, and only when something names it; an error is for whoever reads it. */
  async function variable(name: string): Promise<Outcome> {
    let outcome = known.get(name);
    if (!outcome) {
      known.set(name, { type: "error", why: `variable ${name} names itself` });
      outcome = await attempt(() => run(expressions.get(name) ?? ""));
      known.set(name, outcome);
    }
    return outcome;
  }

  const variables = {};
  for (const name of expressions.keys()) {
    const get = () => {
      const outcome = known.get(name);
      if (outcome?.type === "value") return outcome.value;
      throw new Error(outcome?.why ?? `no such key: ${name}`);
    };
    Object.defineProperty(variables, name, { get, enumerable: true });
  }

  const bindings = {
    ...requestBindings(request, attributes, context),
    params: toCel(param),
    namespaceObject: toCel(place),
    variables,
  };

  async function run(expression: string): Promise<unknown> {
    const program: CelProgram = programOf(expression, policyVariables);
    const values: unknown[] = [];
    for (const name of program.references) {
      const outcome = expressions.has(name) ? await variable(name) : undefined;
      if (outcome?.type === "value") values.push(outcome.value);
    }
    return await program.evaluate(bindings, values);
  }

  return { bindings, run };
}
