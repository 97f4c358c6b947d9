/** The streams themselves: how they are made, and which ones and which servers we refuse. */

import {
  DiscardPolicy,
  JetStreamApiCodes,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
  type StreamInfo,
} from "@nats-io/jetstream";
import type { Bus } from "../bus.ts";
import { ApiError, askApi } from "./jetstream-api.ts";
import { JournalError } from "./journal.ts";

export interface StreamWish {
  /** Of the key-value bucket; the stream is `KV_<bucket>`. */
  bucket: string;
  /** 0: records do not age. */
  maxAgeMs: number;
  /** 1, or 3 and more in a cluster. Default 1. */
  replicas?: number;
}

/** What we write; a stream that says more was written by a newer Wherry. */
const formatVersion = 1;
const formatKey = "wherry.format";

/** Atomic batches came with 2.12; an older server ignores what it does not know, in silence. */
const oldestServer = [2, 12] as const;

export function assertServerVersion(version: string): void {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [wantedMajor, wantedMinor] = oldestServer;
  if (major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)) return;
  const wanted = `${wantedMajor}.${wantedMinor}`;
  throw new JournalError(
    "refused",
    `nats-server ${version || "of unknown version"} cannot be used: Wherry writes in atomic ` +
      `batches, which came with ${wanted}; an older server would ignore them in silence`,
  );
}

export async function ensureStream(bus: Bus, wish: StreamWish): Promise<StreamConfig> {
  const wanted = wantedConfig(wish);
  const found = await findStream(bus, wanted.name);
  if (!found) return (await askApi<StreamInfo>(bus, `STREAM.CREATE.${wanted.name}`, wanted)).config;
  const { config } = found;
  assertFormat(config);
  // How many servers hold the stream is decided when it is made, or by an operator.
  const updated: StreamConfig = {
    ...config,
    ...wanted,
    num_replicas: config.num_replicas,
    metadata: { ...config.metadata, ...wanted.metadata },
  };
  const differs = Object.entries(wanted).some(
    ([option, value]) =>
      option !== "num_replicas" &&
      option !== "metadata" &&
      JSON.stringify(config[option as keyof StreamConfig]) !== JSON.stringify(value),
  );
  if (!differs) return config;
  return (await askApi<StreamInfo>(bus, `STREAM.UPDATE.${wanted.name}`, updated)).config;
}

async function findStream(bus: Bus, name: string): Promise<StreamInfo | undefined> {
  try {
    return await askApi<StreamInfo>(bus, `STREAM.INFO.${name}`);
  } catch (error) {
    const missing =
      error instanceof ApiError && error.failure.err_code === JetStreamApiCodes.StreamNotFound;
    if (missing) return undefined;
    throw error;
  }
}

function wantedConfig({ bucket, maxAgeMs, replicas = 1 }: StreamWish) {
  return {
    name: `KV_${bucket}`,
    subjects: [`$KV.${bucket}.>`],
    storage: StorageType.File,
    retention: RetentionPolicy.Limits,
    // Nothing is ever discarded to make room: a full disk refuses writes.
    discard: DiscardPolicy.New,
    num_replicas: replicas,
    max_age: maxAgeMs * 1e6,
    // No limit in effect. The key-value clients refuse a bucket that has none in name.
    max_msgs_per_subject: 1_000_000_000,
    max_consumers: -1,
    allow_atomic: true,
    allow_direct: true,
    allow_rollup_hdrs: true,
    deny_delete: false,
    deny_purge: false,
    metadata: { [formatKey]: String(formatVersion) },
  } satisfies Partial<StreamConfig>;
}

function assertFormat({ name, metadata }: StreamConfig): void {
  const found = metadata?.[formatKey];
  if (found === undefined) {
    const message = `Stream ${name} was not made by Wherry: it has no ${formatKey}`;
    throw new JournalError("refused", message);
  }
  if (Number(found) <= formatVersion) return;
  throw new JournalError(
    "refused",
    `Stream ${name} has format ${found}, written by a newer Wherry: this one knows formats up ` +
      `to ${formatVersion}`,
  );
}
