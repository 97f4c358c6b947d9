/** What an actor is written with; also what the package exports to controllers outside of it. */

export {
  ApiError,
  apiError,
  isAlreadyExists,
  isConflict,
  isExpired,
  isForbidden,
  isInvalid,
  isNotFound,
} from "../../manifests/api-error.ts";
export * from "../../manifests/index.ts";
export type { IndexFunction, Lister } from "./cache.ts";
export {
  type Api,
  type ApiOptions,
  createApi,
  type DeleteOptions,
  type ListOptions,
  type ObjectList,
  type PatchOptions,
  type WriteOptions,
} from "./client.ts";
export {
  type Controller,
  type ControllerArgs,
  type ControllerSpec,
  defineController,
  type Outcome,
  type ReconcileContext,
  requeueAfter,
  toOwner,
  watch,
} from "./controller.ts";
export type { EventRecorder } from "./events.ts";
export { createInformers, type Informer, type Informers } from "./informer.ts";
export { type Key, keyIn, keyOf, splitKey } from "./object.ts";
export { type OwnedArgs, type Ownership, owned, ownerWrites } from "./owned.ts";
export type { Watch, WatchHandlers, WatchOptions } from "./watch.ts";
export {
  anyKind,
  create,
  del,
  deleteCollection,
  type Grant,
  grantsOf,
  patch,
  status,
  subresource,
  update,
  type Write,
} from "./writes.ts";
