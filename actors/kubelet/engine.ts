/**
 * A container engine, in the shape of CRI: sandboxes that hold a pod's network, containers in
 * them, images, exec, logs, events. `actors/kubelet/engines/` has one folder per engine and
 * `test/e2e/engine-suite.ts` is what each of them must pass.
 *
 * Ids are the engine's own. Everything the kubelet must know after a restart is in labels and
 * annotations, which an engine keeps with the sandbox or container and gives back unchanged.
 */
export interface Engine {
  readonly name: string;
  /** Rejects with an EngineError `unavailable` while the engine does not answer. */
  version(): Promise<EngineVersion>;

  /** Makes the pod's network namespace and address; idempotent by `config.uid` and `attempt`. */
  runSandbox(config: SandboxConfig): Promise<string>;
  /** Stops everything in the sandbox and gives its address back; not found is success. */
  stopSandbox(id: string): Promise<void>;
  removeSandbox(id: string): Promise<void>;
  listSandboxes(): Promise<SandboxState[]>;

  createContainer(sandbox: string, config: ContainerConfig): Promise<string>;
  startContainer(id: string): Promise<void>;
  /** SIGTERM, then SIGKILL after `graceSeconds`, rounded up; resolves when it has stopped. */
  stopContainer(id: string, graceSeconds: number): Promise<void>;
  removeContainer(id: string): Promise<void>;
  listContainers(): Promise<ContainerState[]>;
  containerState(id: string): Promise<ContainerState | undefined>;

  imageState(image: string): Promise<ImageState | undefined>;
  pullImage(image: string, auth?: ImageAuth, signal?: AbortSignal): Promise<ImageState>;
  listImages(): Promise<ImageState[]>;
  removeImage(id: string): Promise<void>;

  logs(id: string, options: LogOptions): Promise<LogStream>;
  exec(id: string, options: ExecOptions): Promise<ExecSession>;
  /** Joins the container's own input and output; its `exitCode` is the container's. */
  attach(id: string, options: AttachOptions): Promise<ExecSession>;
  /** CPU nanoseconds and memory bytes by container id. */
  stats(): Promise<Map<string, ContainerStats>>;
  /**
   * Hints that something changed: relist. Calls `onEnd` once, when the stream breaks or cannot be
   * had. What happened between two streams of one engine object is told again, where it can be.
   */
  events(onEvent: (event: EngineEvent) => void, onEnd: (error?: Error) => void): EventStream;
  /** Lets go of connections; touches nothing that runs. */
  close(): void;
}

export interface EngineVersion {
  name: string;
  version: string;
  /** As in Node.status.nodeInfo: `docker://20.10.24`. */
  runtimeVersion: string;
}

export interface SandboxConfig {
  /** Of the pod. */
  uid: string;
  namespace: string;
  name: string;
  attempt: number;
  hostname: string;
  dns: { servers: string[]; searches: string[]; options: string[] };
  hostNetwork: boolean;
  cgroupParent?: string;
  labels: Record<string, string>;
  annotations: Record<string, string>;
}

export interface SandboxState {
  id: string;
  uid: string;
  namespace: string;
  name: string;
  attempt: number;
  running: boolean;
  /** Empty when the sandbox has no address of its own (host network) or does not run. */
  ip: string;
  createdAt: number;
  labels: Record<string, string>;
  annotations: Record<string, string>;
}

export interface ContainerConfig {
  name: string;
  attempt: number;
  image: string;
  command?: string[];
  args?: string[];
  env: { name: string; value: string }[];
  workingDir?: string;
  mounts: ContainerMount[];
  resources: ContainerResources;
  tty: boolean;
  stdin: boolean;
  stdinOnce: boolean;
  security: ContainerSecurity;
  labels: Record<string, string>;
  annotations: Record<string, string>;
}

export interface ContainerMount {
  hostPath: string;
  containerPath: string;
  readOnly: boolean;
}

export interface ContainerSecurity {
  /** `uid` or `uid:gid`; absent means what the image says. */
  user?: string;
  readOnlyRootFilesystem: boolean;
  privileged: boolean;
  noNewPrivileges: boolean;
  addCapabilities: string[];
  dropCapabilities: string[];
}

export interface ContainerResources {
  cpuShares?: number;
  /** Microseconds per 100 ms period. */
  cpuQuota?: number;
  memoryLimitBytes?: number;
  oomScoreAdj?: number;
}

export interface ContainerState {
  id: string;
  sandbox: string;
  name: string;
  attempt: number;
  image: string;
  imageID: string;
  status: "created" | "running" | "exited" | "unknown";
  createdAt: number;
  startedAt: number;
  finishedAt: number;
  exitCode: number;
  /** `OOMKilled`, `Completed`, `Error`, `ContainerCannotRun`, `StartError`. */
  reason: string;
  message: string;
  labels: Record<string, string>;
  annotations: Record<string, string>;
}

export interface ImageState {
  id: string;
  tags: string[];
  digests: string[];
  sizeBytes: number;
  user: string;
}

export interface ImageAuth {
  username: string;
  password: string;
  registry: string;
}

export interface LogOptions {
  follow: boolean;
  timestamps: boolean;
  tailLines?: number;
  /** Milliseconds since the epoch. */
  sinceMs?: number;
}

export interface LogStream extends AsyncIterable<LogChunk> {
  close(): void;
}

export interface LogChunk {
  stream: "stdout" | "stderr";
  data: Uint8Array;
}

export interface ExecOptions {
  command: string[];
  stdin: boolean;
  tty: boolean;
}

export interface AttachOptions {
  stdin: boolean;
  tty: boolean;
}

export interface ExecSession {
  /** Ends when the command's output ends. */
  output: AsyncIterable<LogChunk>;
  write(data: Uint8Array): Promise<void>;
  endInput(): void;
  resize(columns: number, rows: number): Promise<void>;
  /** The command's exit code, once `output` has ended. */
  exitCode(): Promise<number>;
  close(): void;
}

export interface ContainerStats {
  cpuNanoseconds: number;
  memoryBytes: number;
}

export interface EngineEvent {
  type: "container" | "sandbox" | "image";
  id: string;
  action: string;
}

export interface EventStream {
  close(): void;
}

/**
 * `unavailable`: the engine does not answer, try again. `image-not-found`, `invalid-image`,
 * `pull-failed`: of images. `not-found`: no such sandbox or container. `start-failed`: the
 * container cannot run as configured (`exitCode` says how). `failed`: anything else.
 */
export type EngineErrorCode =
  | "unavailable"
  | "image-not-found"
  | "invalid-image"
  | "pull-failed"
  | "not-found"
  | "start-failed"
  | "failed";

export class EngineError extends Error {
  readonly code: EngineErrorCode;
  readonly exitCode: number | undefined;
  constructor(
    code: EngineErrorCode,
    message: string,
    options?: ErrorOptions & { exitCode?: number },
  ) {
    super(message, options);
    this.name = "EngineError";
    this.code = code;
    this.exitCode = options?.exitCode;
  }
}
