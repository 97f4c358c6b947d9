/** `matchConditions`: CEL that says whether a webhook or a policy is about a request after all. */

import { CelAuthorizer } from "../../../manifests/cel/authorizer-library.ts";
import { type CelProgram, compileCel } from "../../../manifests/cel/cel.ts";
import { toCel } from "../../../manifests/cel/values.ts";
import type { MatchCondition } from "../../../manifests/index.ts";
import type { AdmissionContext, Attributes } from "./chain.ts";
import type { AdmissionRequest } from "./review.ts";

/** What every expression of admission can name; those of policies have more. */
export const requestVariables: readonly string[] = ["object", "oldObject", "request", "authorizer"];

export function requestBindings(
  { object, oldObject, ...rest }: AdmissionRequest,
  attributes: Attributes,
  context: AdmissionContext,
): Record<string, unknown> {
  const { resource, subresource, namespace, name } = attributes;
  const { group, resource: plural } = resource.kind;
  const authorizer = new CelAuthorizer((question, verb) => context.allows({ ...question, verb }), {
    group,
    resource: plural,
    subresource,
    namespace,
    name,
  });
  const bindings = { object: toCel(object), oldObject: toCel(oldObject), request: toCel(rest) };
  return { ...bindings, authorizer };
}

/** `matched`, or not, or `failed` where a condition came to no result and none said no. */
export type Verdict = { type: "matched" } | { type: "unmatched" } | { type: "failed"; why: string };

const compiled = new Map<string, CelProgram>();
const mostCompiled = 5_000;

/** Throws CelError. Remembered by its text: rules are asked with every request. */
export function programOf(expression: string, variables: readonly string[]): CelProgram {
  const id = `${variables.join()} ${expression}`;
  let program = compiled.get(id);
  if (!program) {
    program = compileCel(expression, variables);
    if (compiled.size >= mostCompiled) compiled.clear();
    compiled.set(id, program);
  }
  return program;
}

/** k8s: apiserver/pkg/admission/plugin/webhook/matchconditions. */
export async function judgeConditions(
  conditions: readonly MatchCondition[] | undefined,
  bind: () => Record<string, unknown>,
  variables: readonly string[],
): Promise<Verdict> {
  if (!conditions || conditions.length === 0) return { type: "matched" };
  const bindings = bind();
  let failure: string | undefined;
  for (const { name, expression } of conditions) {
    try {
      const value = await programOf(expression, variables).evaluate(bindings);
      if (value === false) return { type: "unmatched" };
      if (value !== true) failure ??= `matchCondition ${name}: cel evaluation returned no bool`;
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      failure ??= `matchCondition ${name}: expression '${expression}' resulted in error: ${why}`;
    }
  }
  return failure === undefined ? { type: "matched" } : { type: "failed", why: failure };
}
