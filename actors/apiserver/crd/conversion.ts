/**
 * Objects of a custom kind from one version into another, by the webhook that their definition names (k8s:
 * apiextensions-apiserver/pkg/apiserver/conversion/webhook_converter.go).
 */

import { apiError } from "../../../manifests/api-error.ts";
import type {
  ApiextensionsWebhookClientConfig,
  CustomResourceDefinition,
  KubeObject,
} from "../../../manifests/index.ts";
import { errorMessage } from "../../../runtime/errors.ts";
import type { Reader } from "../admission/reader.ts";
import type { WebhookAnswer, WebhookDialer } from "../admission/webhooks/dialer.ts";
import { resolveTarget } from "../admission/webhooks/target.ts";

/** Sends a review to where the configuration leads. Rejects with an Error that says what went wrong. */
export type AskConverter = (
  config: ApiextensionsWebhookClientConfig,
  body: Uint8Array,
  timeoutMs: number,
) => Promise<WebhookAnswer>;

/** As admission's webhooks are reached. */
export function askByDialer(dialer: WebhookDialer | undefined, reader: () => Reader): AskConverter {
  return async (config, body, timeoutMs) => {
    if (!dialer) throw new Error("this API server cannot reach webhooks");
    return await dialer.post(resolveTarget(config, reader(), timeoutMs / 1000), body, timeoutMs);
  };
}

/** All in one question; those that are in the version already are not asked about. */
export type Convert = (objects: readonly KubeObject[], apiVersion: string) => Promise<KubeObject[]>;

export interface ConversionContext {
  readonly ask: AskConverter;
  readonly uuid: () => string;
}

interface Review {
  kind?: unknown;
  response?: {
    uid?: unknown;
    convertedObjects?: unknown;
    result?: { status?: unknown; message?: unknown };
  };
}

const timeoutMs = 30_000;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Undefined for a definition whose versions differ in name only. */
export function converterOf(
  { spec }: CustomResourceDefinition,
  { ask, uuid }: ConversionContext,
): Convert | undefined {
  const { strategy, webhook } = spec.conversion ?? { strategy: "None" };
  const config = webhook?.clientConfig;
  if (strategy !== "Webhook" || !config) return undefined;
  const version = webhook.conversionReviewVersions.find((known) => /^v1(beta1)?$/.test(known));
  const what = (object: KubeObject) => `${object.apiVersion}, Kind=${spec.names.kind}`;

  return async (objects, apiVersion) => {
    const foreign = objects.filter((object) => object.apiVersion !== apiVersion);
    const [first] = foreign;
    if (!first) return [...objects];
    try {
      const review = {
        kind: "ConversionReview",
        apiVersion: `apiextensions.k8s.io/${version}`,
        request: { uid: uuid(), desiredAPIVersion: apiVersion, objects: foreign },
      };
      const answer = await ask(config, encoder.encode(JSON.stringify(review)), timeoutMs);
      if (answer.code !== 200) throw new Error(`the server answered with status ${answer.code}`);
      const made = convertedOf(answer.body, review.request.uid, foreign, apiVersion).values();
      return objects.map((object) =>
        object.apiVersion === apiVersion ? object : (made.next().value ?? object),
      );
    } catch (error) {
      const why = `conversion webhook for ${what(first)} failed: ${errorMessage(error)}`;
      throw apiError("InternalError", why, undefined, { cause: error });
    }
  };
}

function convertedOf(
  body: Uint8Array,
  uid: string,
  asked: readonly KubeObject[],
  apiVersion: string,
): KubeObject[] {
  const { response } = JSON.parse(decoder.decode(body)) as Review;
  if (response?.uid !== uid) {
    throw new Error(`expected response.uid="${uid}", got "${response?.uid}"`);
  }
  const { status, message } = response.result ?? {};
  if (status !== "Success") throw new Error(String(message || "the webhook gave no reason"));
  const objects = Array.isArray(response.convertedObjects) ? response.convertedObjects : [];
  if (objects.length !== asked.length) {
    throw new Error(`returned ${objects.length} objects, expected ${asked.length}`);
  }
  return asked.map((before, at) => {
    const after = objects[at] as KubeObject;
    const wrong = faultOf(before, after, apiVersion);
    if (wrong) throw new Error(`returned invalid converted object at index ${at}: ${wrong}`);
    return withMetadataOf(before, after);
  });
}

function faultOf(before: KubeObject, after: KubeObject, apiVersion: string): string | undefined {
  if (typeof after?.metadata !== "object" || after.metadata === null) return "missing metadata";
  if (after.apiVersion !== apiVersion) {
    return `invalid groupVersion (received ${after.apiVersion}, expected ${apiVersion})`;
  }
  if (after.kind !== before.kind) {
    return `invalid kind (received ${after.kind}, expected ${before.kind})`;
  }
  for (const field of ["name", "namespace", "uid"] as const) {
    const [was, is] = [before.metadata[field] ?? "", after.metadata[field] ?? ""];
    if (was !== is) return `must have the same ${field}: ${was} != ${is}`;
  }
  return undefined;
}

/** Of the metadata a webhook may change labels and annotations, and nothing else. */
function withMetadataOf(before: KubeObject, after: KubeObject): KubeObject {
  const { labels: _labels, annotations: _annotations, ...kept } = before.metadata;
  const { labels, annotations } = after.metadata;
  const metadata = {
    ...kept,
    ...(labels ? { labels } : {}),
    ...(annotations ? { annotations } : {}),
  };
  return { ...after, metadata };
}
