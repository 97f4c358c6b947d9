/** Which cluster the CLI talks to, and as whom: the kubeconfig that kubectl would read. */
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { parseYaml } from "../../manifests/index.ts";
import { CommandError } from "./errors.ts";

export interface Connection {
  server: URL;
  /** Of the context; `default` when it names none. */
  namespace: string;
  /** PEM; absent parts are not sent. */
  ca?: string;
  cert?: string;
  key?: string;
  token?: string;
}

/** The parts of a kubeconfig that we read (k8s:client-go/tools/clientcmd/api/v1). */
interface KubeConfig {
  "current-context"?: string;
  clusters?: { name: string; cluster: Record<string, string> }[];
  users?: { name: string; user: Record<string, string> }[];
  contexts?: { name: string; context: { cluster: string; user: string; namespace?: string } }[];
}

export interface KubeconfigOptions {
  kubeconfig?: string;
  context?: string;
  env: NodeJS.ProcessEnv;
}

/** `--kubeconfig`, else KUBECONFIG, else that of the data folder, else `~/.kube/config`. */
function candidates({ kubeconfig, env }: KubeconfigOptions): string[] {
  if (kubeconfig) return [kubeconfig];
  if (env.KUBECONFIG) return [env.KUBECONFIG];
  const data = env.WHERRY_DATA || ".wherry";
  return [join(data, "kubeconfig"), join(homedir(), ".kube/config")];
}

export async function loadConnection(options: KubeconfigOptions): Promise<Connection> {
  const paths = candidates(options);
  for (const path of paths) {
    const text = await readFile(path, "utf8").catch(() => undefined);
    if (text !== undefined) return await readConnection(text, resolve(path), options.context);
  }
  throw new CommandError(
    `No kubeconfig at ${paths.join(" or ")}: start a cluster with \`wherry up\`, or name one with --kubeconfig`,
  );
}

async function readConnection(text: string, path: string, wanted?: string): Promise<Connection> {
  const config = parseYaml(text) as KubeConfig;
  const name = wanted ?? config["current-context"];
  const context = config.contexts?.find((it) => it.name === name)?.context;
  if (!context) throw new CommandError(`${path} has no context ${JSON.stringify(name)}`);
  const cluster = config.clusters?.find((it) => it.name === context.cluster)?.cluster;
  const user = config.users?.find((it) => it.name === context.user)?.user ?? {};
  if (!cluster?.server) throw new CommandError(`${path} has no cluster ${context.cluster}`);
  const pem = async (of: Record<string, string>, field: string) => {
    const data = of[`${field}-data`];
    if (data) return Buffer.from(data, "base64").toString("utf8");
    const file = of[field];
    return file ? await readFile(resolve(dirname(path), file), "utf8") : undefined;
  };
  return {
    server: new URL(cluster.server),
    namespace: context.namespace ?? "default",
    ca: await pem(cluster, "certificate-authority"),
    cert: await pem(user, "client-certificate"),
    key: await pem(user, "client-key"),
    token: user.token,
  };
}
