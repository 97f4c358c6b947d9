/** One webhook asked once: its question, its answer, and the words of its refusals. */

import { ApiError, type ApiStatus, apiError } from "../../../../manifests/api-error.ts";
import type { MatchCondition, WebhookClientConfig } from "../../../../manifests/index.ts";
import type { Resource } from "../../registry/registry.ts";
import type { AdmissionContext, Attributes } from "../chain.ts";
import { judgeConditions, requestBindings, requestVariables } from "../conditions.ts";
import { type Criteria, findMatch } from "../matching.ts";
import { type AdmissionRequest, requestOf } from "../review.ts";
import type { WebhookDialer } from "./dialer.ts";
import { resolveTarget } from "./target.ts";

export interface Webhook extends Criteria {
  readonly name: string;
  readonly clientConfig: WebhookClientConfig;
  readonly failurePolicy?: string;
  readonly sideEffects?: string;
  readonly timeoutSeconds?: number;
  readonly matchConditions?: readonly MatchCondition[];
}

export interface WebhookResponse {
  readonly uid?: string;
  readonly allowed?: boolean;
  readonly status?: Partial<ApiStatus>;
  /** Base64 of a JSON patch. */
  readonly patch?: string;
  readonly patchType?: string;
  readonly warnings?: readonly string[];
  readonly auditAnnotations?: Readonly<Record<string, string>>;
}

export interface Asked {
  readonly request: AdmissionRequest;
  readonly as: Resource;
  readonly response: WebhookResponse;
}

/** No answer, or none that makes sense: the failure policy decides what follows. */
class CallError extends Error {}

/**
 * What the webhook says; undefined when it is not concerned, or did not answer and that may be.
 * Throws what refuses the request.
 */
export async function ask(
  webhook: Webhook,
  attributes: Attributes,
  context: AdmissionContext,
  dialer: WebhookDialer | undefined,
): Promise<Asked | undefined> {
  const as = findMatch(webhook, attributes, context);
  if (!as) return undefined;
  const { name, failurePolicy } = webhook;
  const request = requestOf(attributes, as, context.random.uuid());
  const bind = () => requestBindings(request, attributes, context);
  const verdict = await judgeConditions(webhook.matchConditions, bind, requestVariables);
  if (verdict.type === "unmatched") return undefined;
  if (verdict.type === "failed") {
    if (failurePolicy === "Ignore") return undefined;
    throw apiError("Forbidden", `admission webhook "${name}" match conditions: ${verdict.why}`);
  }
  const { sideEffects } = webhook;
  if (attributes.dryRun && sideEffects !== "None" && sideEffects !== "NoneOnDryRun") {
    throw apiError("BadRequest", `admission webhook "${name}" does not support dry run`);
  }
  try {
    const response = await call(webhook, request, context, dialer);
    tell(webhook, response, context);
    if (response.allowed !== true) throw denied(name, response.status);
    return { request, as, response };
  } catch (error) {
    if (!(error instanceof CallError)) throw error;
    if (failurePolicy === "Ignore") {
      context.annotate("failed-open.webhook.admission.k8s.io", name);
      return undefined;
    }
    throw apiError("InternalError", `Internal error occurred: ${failed(name, error.message)}`);
  }
}

function failed(name: string, why: string): string {
  return `failed calling webhook "${name}": ${why}`;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const defaultTimeoutSeconds = 10;

async function call(
  { clientConfig, timeoutSeconds = defaultTimeoutSeconds }: Webhook,
  request: AdmissionRequest,
  { reader }: AdmissionContext,
  dialer: WebhookDialer | undefined,
): Promise<WebhookResponse> {
  const review = { kind: "AdmissionReview", apiVersion: "admission.k8s.io/v1", request };
  const body = encoder.encode(JSON.stringify(review));
  const answer = await attempt(async () => {
    if (!dialer) throw new Error("this API server cannot reach webhooks");
    const target = resolveTarget(clientConfig, reader, timeoutSeconds);
    return await dialer.post(target, body, timeoutSeconds * 1000);
  });
  if (answer.code < 200 || answer.code > 299) {
    throw new CallError(`failed to call webhook: the server answered with status ${answer.code}`);
  }
  return responseOf(answer.body, request.uid);
}

async function attempt<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new CallError(`failed to call webhook: ${why}`, { cause: error });
  }
}

/** k8s: plugin/webhook/request/admissionreview.go VerifyAdmissionResponse. */
function responseOf(body: Uint8Array, uid: string): WebhookResponse {
  let review: { apiVersion?: unknown; kind?: unknown; response?: WebhookResponse } | null;
  try {
    review = JSON.parse(decoder.decode(body));
  } catch {
    throw new CallError("failed to call webhook: the response is not JSON");
  }
  if (review?.kind !== "AdmissionReview" || review.apiVersion !== "admission.k8s.io/v1") {
    throw new CallError(
      "received invalid webhook response: expected webhook response of admission.k8s.io/v1, " +
        `Kind=AdmissionReview, got ${review?.apiVersion}, Kind=${review?.kind}`,
    );
  }
  const { response } = review;
  if (!response) throw new CallError("received invalid webhook response: no response");
  if (response.uid !== uid) {
    throw new CallError(
      `received invalid webhook response: expected response.uid="${uid}", got "${response.uid}"`,
    );
  }
  return response;
}

function tell(webhook: Webhook, response: WebhookResponse, context: AdmissionContext): void {
  for (const warning of response.warnings ?? []) context.warn(warning);
  for (const [key, value] of Object.entries(response.auditAnnotations ?? {})) {
    context.annotate(`${webhook.name}/${key}`, value);
  }
}

/** k8s: plugin/webhook/errors/statuserror.go ToStatusErr. */
function denied(name: string, status: Partial<ApiStatus> = {}): Error {
  const { message, reason, code = 0 } = status;
  const by = `admission webhook "${name}" denied the request`;
  const said = message || reason;
  return new ApiError({
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    ...(reason ? { reason } : {}),
    ...(status.details ? { details: status.details } : {}),
    status: "Failure",
    message: said ? `${by}: ${said}` : `${by} without explanation`,
    code: code < 400 ? 400 : code,
  });
}

/** What a mutating webhook must not do goes by its failure policy no more: it did answer. */
export function badPatch(name: string, why: string): Error {
  return apiError("InternalError", `Internal error occurred: ${failed(name, why)}`);
}
