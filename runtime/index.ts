/** The package export `wherry/runtime`: actors and what they stand on, without any Kubernetes. */

export type {
  ActorDefinition,
  Behavior,
  Context,
  Ref,
  SpawnOptions,
  World,
} from "./actor.ts";
export type {
  Bus,
  BusErrorCode,
  BusMessage,
  Headers,
  PublishOptions,
  RequestOptions,
  SubscribeOptions,
  Subscription,
} from "./bus.ts";
export { BusError, isBusError, maxPayloadBytes } from "./bus.ts";
export type { Clock, Timer } from "./clock.ts";
export { assert, assertNever, BugError, errorMessage, TerminalError } from "./errors.ts";
export type { Log, LogLevel } from "./log.ts";
export { createLog } from "./log.ts";
export type { MetricSpec, Metrics } from "./metrics.ts";
export { createMetrics } from "./metrics.ts";
export type { NatsAuthentication, NatsBus, NatsBusOptions } from "./nats-bus.ts";
export { connectNats } from "./nats-bus.ts";
export type { Random } from "./random.ts";
export { realClock, realRandom } from "./real.ts";
export type { StatsOptions } from "./stats.ts";
export { serveStats } from "./stats.ts";
export type { ByteStream, StreamOptions } from "./stream.ts";
export { openStream, StreamError } from "./stream.ts";
export type { ActorPhase, ActorStats, System, SystemOptions } from "./supervisor.ts";
export { createSystem, deadLetterSubject } from "./supervisor.ts";
export { decodeToken, encodeToken } from "./token.ts";
export type { RateLimit, Workqueue } from "./workqueue.ts";
export { createWorkqueue, defaultRateLimit } from "./workqueue.ts";
