/** A container's last words, as `state.terminated.message` shows them. */

import type { Container, Pod } from "../../manifests/index.ts";
import type { ContainerState } from "./engine.ts";
import type { NodeEnvironment } from "./environment.ts";

/** As k8s:pkg/kubelet/container/runtime.go: of the file, and of the log that stands in for it. */
const mostMessageBytes = 4096;
const mostLogBytes = 2048;
const mostLogLines = 80;

export function terminationFile(container: string, attempt: number): string {
  return `termination/${container}-${attempt}`;
}

export async function readTerminationMessage(
  env: NodeEnvironment,
  pod: Pod,
  container: Container,
  state: ContainerState,
): Promise<string> {
  const file = terminationFile(container.name, state.attempt);
  const uid = pod.metadata.uid ?? "";
  const message = await env.config.files.readTail(uid, file, mostMessageBytes);
  const usesLog = container.terminationMessagePolicy === "FallbackToLogsOnError";
  if (message || !usesLog || state.exitCode === 0) return message;
  return readLogTail(env, state.id);
}

async function readLogTail(env: NodeEnvironment, id: string): Promise<string> {
  const options = { follow: false, timestamps: false, tailLines: mostLogLines };
  const log = await env.config.engine.logs(id, options);
  const decoder = new TextDecoder();
  let text = "";
  for await (const { data } of log) {
    text = (text + decoder.decode(data, { stream: true })).slice(-mostLogBytes);
  }
  return text;
}
