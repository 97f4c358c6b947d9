/**
 * What goes through to a node: a pod's log, a command in a container, its terminal. The request
 * travels over NATS (`actors/kubelet/messages.ts`), then bytes in both directions
 * (`runtime/stream.ts`): nodes are never dialled.
 */

import { ApiError, apiError } from "../../../manifests/api-error.ts";
import type { Pod } from "../../../manifests/index.ts";
import { type Bus, BusError } from "../../../runtime/bus.ts";
import type { Clock } from "../../../runtime/clock.ts";
import type { Random } from "../../../runtime/random.ts";
import { type ByteStream, openStream } from "../../../runtime/stream.ts";
import type {
  ContainerTarget,
  NodeRequests,
  NodeVerb,
  OpenExec,
  OpenLog,
  StreamReply,
} from "../../kubelet/messages.ts";
import { nodeSubject, streamSubject } from "../../subjects.ts";
import { mastersGroup } from "../authn/user.ts";
import type { Pipeline } from "../pipeline.ts";
import { type ApiRequest, booleanOption, numberOption, replyBytes } from "../request.ts";
import type { PortTarget } from "./portforward.ts";

export interface NodeStreamsContext {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly random: Random;
  readonly pipeline: Pipeline;
}

/** An image may have to be looked at, an exec created: longer than a plain question takes. */
const openTimeoutMs = 30_000;
const defaultContainer = "kubectl.kubernetes.io/default-container";

/** Undefined when the pod has not been given to a node, and so has said nothing yet. */
export async function openLog(
  context: NodeStreamsContext,
  request: ApiRequest,
): Promise<ByteStream | undefined> {
  const { pod, target } = await targetOf(context, request);
  const { query } = request;
  if (!pod.spec.nodeName) return undefined;
  const ask: Omit<OpenLog, "stream"> = {
    ...target,
    follow: booleanOption(query, "follow"),
    previous: booleanOption(query, "previous"),
    timestamps: booleanOption(query, "timestamps"),
    tailLines: numberOption(query, "tailLines"),
    sinceSeconds: numberOption(query, "sinceSeconds"),
    sinceTime: query.get("sinceTime") ?? undefined,
    limitBytes: numberOption(query, "limitBytes"),
  };
  return await open(context, pod.spec.nodeName, "logs", ask);
}

/** Exec and attach: the same but for the command. */
export async function openTerminal(
  context: NodeStreamsContext,
  request: ApiRequest,
): Promise<ByteStream> {
  const { pod, target } = await targetOf(context, request);
  const { query, subresource } = request;
  const node = pod.spec.nodeName;
  const name = pod.metadata.name;
  if (!node) throw apiError("BadRequest", `pod ${name} does not have a host assigned`);
  const tty = booleanOption(query, "tty");
  const wanted = {
    ...target,
    stdin: booleanOption(query, "stdin"),
    stdout: booleanOption(query, "stdout"),
    // A terminal has one output.
    stderr: booleanOption(query, "stderr") && !tty,
    tty,
  };
  if (subresource === "attach") return await open(context, node, "attach", wanted);
  const command = query.getAll("command");
  if (command.length === 0) {
    throw apiError("BadRequest", "you must specify at least one command for the container");
  }
  const exec: Omit<OpenExec, "stream"> = { ...wanted, command };
  return await open(context, node, "exec", exec);
}

/** The ports of a pod; each is opened when somebody connects. */
export async function findPorts(
  context: NodeStreamsContext,
  request: ApiRequest,
): Promise<PortTarget> {
  const { namespace, name } = request;
  const pod = await readPod(context, request);
  const node = pod.spec.nodeName;
  if (!node) throw apiError("BadRequest", `pod ${name} does not have a host assigned`);
  const uid = pod.metadata.uid ?? "";
  return {
    pod: name,
    uid,
    open: (port) => open(context, node, "portforward", { namespace, pod: name, uid, port }),
  };
}

async function open<V extends NodeVerb>(
  { bus, clock, random }: NodeStreamsContext,
  node: string,
  verb: V,
  ask: Omit<NodeRequests[V], "stream">,
): Promise<ByteStream> {
  const id = random.uuid();
  const stream = openStream(bus, clock, {
    send: streamSubject(node, id, "down"),
    receive: streamSubject(node, id, "up"),
    openTimeoutMs,
  });
  try {
    const reply = await askNode(bus, nodeSubject(node, verb), { ...ask, stream: id });
    if (reply.type === "refused") throw refusal(reply);
    return stream;
  } catch (error) {
    stream.close();
    throw error;
  }
}

async function askNode(bus: Bus, subject: string, ask: object): Promise<StreamReply> {
  try {
    const options = { timeoutMs: openTimeoutMs };
    const answer = await bus.request(subject, JSON.stringify(ask), options);
    return JSON.parse(new TextDecoder().decode(answer.data)) as StreamReply;
  } catch (error) {
    if (!(error instanceof BusError)) throw error;
    const why = error.code === "no-responders" ? "its kubelet is not connected" : error.message;
    throw apiError("ServiceUnavailable", `the node did not answer: ${why}`, undefined, {
      cause: error,
    });
  }
}

function refusal({ code, reason, message }: Extract<StreamReply, { type: "refused" }>): ApiError {
  const metadata = {};
  return new ApiError({
    kind: "Status",
    apiVersion: "v1",
    metadata,
    status: "Failure",
    message,
    reason,
    code,
  });
}

async function targetOf(
  context: NodeStreamsContext,
  request: ApiRequest,
): Promise<{ pod: Pod; target: Omit<ContainerTarget, "stream"> }> {
  const { namespace, name, query } = request;
  const pod = await readPod(context, request);
  const container = containerOf(pod, query.get("container") ?? "");
  return { pod, target: { namespace, pod: name, uid: pod.metadata.uid ?? "", container } };
}

/** For whoever was allowed its log or its terminal: that is another right than to read it. */
async function readPod({ pipeline }: NodeStreamsContext, request: ApiRequest): Promise<Pod> {
  const user = { ...request.user, groups: [mastersGroup] };
  const plain = { ...request, subresource: "", verb: "get" as const, form: "object" as const };
  const read = { ...plain, user, body: new Uint8Array(), query: new URLSearchParams() };
  const reply = await pipeline.handle(read);
  return JSON.parse(new TextDecoder().decode(replyBytes(reply))) as Pod;
}

/** k8s: pkg/registry/core/pod/strategy.go podHasContainerWithName and its callers. */
function containerOf(pod: Pod, asked: string): string {
  const { containers, initContainers = [], ephemeralContainers = [] } = pod.spec;
  const all = [...containers, ...initContainers, ...ephemeralContainers].map(({ name }) => name);
  const { name, annotations } = pod.metadata;
  if (asked) {
    if (all.includes(asked)) return asked;
    throw apiError("BadRequest", `container ${asked} is not valid for pod ${name}`);
  }
  const preferred = annotations?.[defaultContainer];
  if (preferred && all.includes(preferred)) return preferred;
  const only = containers.length === 1 ? containers[0]?.name : undefined;
  if (only) return only;
  const choice = containers.map((container) => container.name).join(" ");
  const why = `a container name must be specified for pod ${name}, choose one of: [${choice}]`;
  throw apiError("BadRequest", why);
}
