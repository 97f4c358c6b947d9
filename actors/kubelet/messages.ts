/**
 * What API actors ask of a node: its logs, a command in a container, a way to a port of a pod.
 *
 * The API actor chooses a stream id, starts listening on `streamSubject(node, id, "up")`, then
 * sends one of these as a request to `nodeSubject(node, <verb>)` and gets a `StreamReply`. From
 * then on both ends speak `runtime/stream.ts` on the two stream subjects until one closes.
 * Its channels are those of the WebSocket protocol `v4.channel.k8s.io`, so the API actor copies
 * chunks from one to the other and understands none of them.
 */

/** The verb in `nodeSubject(node, verb)` and what its request looks like. */
export interface NodeRequests {
  logs: OpenLog;
  exec: OpenExec;
  attach: OpenAttach;
  portforward: OpenPortForward;
}

export type NodeVerb = keyof NodeRequests;

/** Which container; a pod of the same name with another uid is another pod. */
export interface ContainerTarget {
  /** Names the stream; unique, chosen by the API actor. */
  stream: string;
  namespace: string;
  pod: string;
  uid: string;
  container: string;
}

/**
 * All of the log goes up on the channel `stdout`, as text, both of the container's outputs mixed;
 * the channel's end is the log's, and then the node closes the stream.
 */
export interface OpenLog extends ContainerTarget {
  follow: boolean;
  /** Of the container before its last restart. */
  previous: boolean;
  timestamps: boolean;
  tailLines?: number;
  sinceSeconds?: number;
  /** RFC 3339. */
  sinceTime?: string;
  limitBytes?: number;
}

export interface OpenExec extends ContainerTarget {
  command: string[];
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
  tty: boolean;
}

export interface OpenAttach extends ContainerTarget {
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
  tty: boolean;
}

/**
 * One stream is one TCP connection to one port of the pod; bytes travel on channel 0 both ways,
 * and the channel's end is that of the connection's direction.
 */
export interface OpenPortForward {
  stream: string;
  namespace: string;
  pod: string;
  uid: string;
  port: number;
}

/**
 * `refused` becomes a Status with that code and reason: 400 `BadRequest` for a container that is
 * waiting to start, 404 `NotFound` for one that is not there, 500 for an engine that fails.
 */
export type StreamReply =
  | { type: "opened" }
  | { type: "refused"; code: number; reason: string; message: string };

export const channels = {
  /** Down; its end is the end of the input. */
  stdin: 0,
  stdout: 1,
  stderr: 2,
  /**
   * Up, once, last, then the channel's end: a Status as JSON. Success, or Failure with reason `NonZeroExitCode` and the
   * code in `details.causes` (`{reason: "ExitCode", message: "1"}`), as the kubelet's CRI streaming
   * server words it (k8s.io/kubelet/pkg/cri/streaming/remotecommand/exec.go).
   */
  status: 3,
  /** Down: `{"Width":80,"Height":24}`. */
  resize: 4,
} as const;

export interface TerminalSize {
  Width: number;
  Height: number;
}
