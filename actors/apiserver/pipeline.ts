/**
 * One pipeline behind both doors. A request has been authenticated by its door; here it is
 * authorized, finds its resource, and goes through the stages of its verb:
 * decode, merge, default, mutate, prepare, validate, check, commit (`change.ts`), or is read (`read.ts`).
 */

import { ApiError, apiError } from "../../manifests/api-error.ts";
import { Binding, type Kind, subresource } from "../../manifests/index.ts";
import { hasProtobuf } from "../../manifests/protobuf/index.ts";
import type { Log } from "../../runtime/log.ts";
import { applyObject } from "./apply.ts";
import type { Authenticator } from "./authn/authenticator.ts";
import { accessOf } from "./authz/access.ts";
import type { Authorizer } from "./authz/authorizer.ts";
import { change, create, replaceWith } from "./change.ts";
import { waitUntilFresh } from "./freshness.ts";
import { patchWith } from "./merge.ts";
import { isApply } from "./owners.ts";
import { get, list, type ReadLimits } from "./read.ts";
import { findFresh, pathNotFound, type Resource } from "./registry/registry.ts";
import { remove, removeCollection } from "./remove.ts";
import { type ApiReply, type ApiRequest, errorReply } from "./request.ts";
import { reviewAct } from "./reviews.ts";
import { bindingOfPod, type SubresourceContext, subresourceAct } from "./subresources.ts";
import { type OpenedWatch, openWatch, type WatchSink } from "./watch.ts";

export interface Pipeline {
  /** For what doors ask before there is a request: paths, and who may speak as whom. */
  readonly authorizer: Authorizer;
  /** Rejects with an ApiError, or with whatever broke. */
  handle(request: ApiRequest, limits?: ReadLimits): Promise<ApiReply>;
  watch(request: ApiRequest, sink: WatchSink): Promise<OpenedWatch>;
  /** Whether what is served there has a protobuf form; who asks for what is not there is told that first. */
  hasProtobuf(place: Pick<ApiRequest, "group" | "version" | "resource">): boolean;
  /** What is called so and served, also since a moment ago. */
  kind(apiVersion: string, kind: string): Promise<Kind | undefined>;
  /** What `act` answers, or the Status of what it threw. */
  catching(act: () => Promise<ApiReply>): Promise<ApiReply>;
}

export interface PipelineContext extends SubresourceContext {
  readonly authenticator: Authenticator;
  readonly log: Log;
}

export function createPipeline(context: PipelineContext): Pipeline {
  async function admit(request: ApiRequest): Promise<Resource> {
    await context.authorizer.authorize(accessOf(request), request.annotate);
    return await findFresh(context.registry, request);
  }

  async function act(
    resource: Resource,
    request: ApiRequest,
    limits: ReadLimits | undefined,
  ): Promise<ApiReply> {
    if (request.subresource) return await handleSubresource(context, resource, request);
    if (resource.kind === Binding && request.verb === "create") {
      const pods = context.registry.find("", "v1", "pods");
      return await handleSubresource(context, pods, bindingOfPod(request));
    }
    assertServed(resource, request);
    const review = reviewAct(resource.kind, request.verb);
    if (review) return await review(context, resource, request);
    return await handleObject(context, resource, request, limits);
  }

  return {
    authorizer: context.authorizer,

    async handle(request, limits) {
      const resource = await admit(request);
      return warned(resource, await act(resource, request, limits));
    },

    async watch(request, sink) {
      const resource = await admit(request);
      assertServed(resource, request);
      return await openWatch(context, resource, request, sink);
    },

    hasProtobuf({ group, version, resource }) {
      const served = context.registry.get(group, version, resource);
      return served === undefined || (!served.custom && hasProtobuf(served.kind.typeName));
    },

    async kind(apiVersion, kind) {
      const { registry } = context;
      const found = registry.kind(apiVersion, kind);
      if (found) return found;
      await waitUntilFresh(registry.stores.objects, undefined);
      return registry.kind(apiVersion, kind);
    },

    async catching(act) {
      try {
        return await act();
      } catch (error) {
        if (error instanceof ApiError) return errorReply(error);
        if (isStackOverflow(error)) {
          return errorReply(
            apiError("BadRequest", "exceeded max depth", undefined, { cause: error }),
          );
        }
        context.log.error("Failed to answer a request", { error });
        const why = error instanceof Error ? error.message : String(error);
        return errorReply(apiError("InternalError", `Internal error occurred: ${why}`));
      }
    },
  };
}

/** What nests deeper than our stack reaches is the request's fault, wherever it was met. */
function isStackOverflow(error: unknown): boolean {
  return error instanceof RangeError && error.message.includes("call stack");
}

/** Whoever asks for a deprecated version is told, whatever the outcome. */
function warned({ custom }: Resource, reply: ApiReply): ApiReply {
  return custom?.warning ? { ...reply, warnings: [custom.warning, ...reply.warnings] } : reply;
}

async function handleObject(
  context: PipelineContext,
  resource: Resource,
  request: ApiRequest,
  limits: ReadLimits | undefined,
): Promise<ApiReply> {
  switch (request.verb) {
    case "get":
      return await get(context, resource, request);
    case "list":
      return await list(context, resource, request, limits);
    case "create":
      return await create(context, resource, request);
    case "update":
      return await change(context, resource, request, replaceWith(resource, request));
    case "patch":
      if (isApply(request)) {
        const making = accessOf({ ...request, verb: "create" });
        const authorizeCreate = () => context.authorizer.authorize(making);
        return await applyObject(context, resource, request, authorizeCreate);
      }
      return await change(context, resource, request, patchWith(resource, request));
    case "delete":
      return await remove(context, resource, request);
    case "deletecollection":
      return await removeCollection(context, resource, request);
    default:
      throw methodNotAllowed();
  }
}

async function handleSubresource(
  context: PipelineContext,
  resource: Resource,
  request: ApiRequest,
): Promise<ApiReply> {
  const known = subresource(resource.kind, request.subresource);
  if (!known) throw pathNotFound();
  const act = known.verbs.some((verb) => verb === request.verb) && subresourceAct(request);
  if (!act) throw methodNotAllowed();
  return await act(context, resource, request);
}

function assertServed({ kind }: Resource, { verb }: ApiRequest): void {
  const served = kind.verbs.some((known) => known === verb);
  // What can only be created is a question; one that nobody answers yet must not be stored.
  const stored = kind.verbs.includes("get") || reviewAct(kind, verb) !== undefined;
  if (!served || !stored) throw methodNotAllowed();
}

export function methodNotAllowed(): Error {
  const why = "the server does not allow this method on the requested resource";
  return apiError("MethodNotAllowed", why, {});
}
