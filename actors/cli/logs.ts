/** `wherry logs`: what a container wrote. */
import type { KubeObject, Pod } from "../../manifests/index.ts";
import type { Command, CommandContext } from "./command.ts";
import { CommandError } from "./errors.ts";
import { resolveTargets } from "./get.ts";
import { pathOf } from "./resources.ts";

interface LogsArgs {
  pod?: string;
  container?: string;
  follow?: boolean;
  previous?: boolean;
  timestamps?: boolean;
  tail?: number;
  since?: string;
  allContainers?: boolean;
  selector?: string;
}

export const logs: Command<LogsArgs> = {
  usage: "logs [pod]",
  describe: "print what a container wrote: logs web -c nginx -f, logs deploy/web, logs -l app=web",
  options: (yargs) =>
    yargs.positional("pod", { type: "string", describe: "a pod, or kind/name" }).options({
      container: { alias: "c", type: "string", describe: "the container, if there are several" },
      follow: { alias: "f", type: "boolean", describe: "go on printing" },
      previous: {
        alias: "p",
        type: "boolean",
        describe: "of the container before the last restart",
      },
      timestamps: { type: "boolean", describe: "with the time before each line" },
      tail: { type: "number", describe: "only so many lines from the end" },
      since: { type: "string", describe: "only newer than 5s, 2m or 3h" },
      "all-containers": { type: "boolean", describe: "of every container of the pod" },
      selector: { alias: "l", type: "string", describe: "of all pods with these labels" },
    }),
  async run(context, args) {
    const pods = await choosePods(context, args);
    if (pods.length === 0) throw new CommandError("no pods found");
    const streams = pods.flatMap((pod) =>
      containersOf(pod, args).map((container) =>
        print(context, pod.metadata.name, container, args),
      ),
    );
    await Promise.all(streams);
  },
};

async function choosePods(context: CommandContext, args: LogsArgs): Promise<Pod[]> {
  const root = `/api/v1/namespaces/${context.namespace}/pods`;
  const list = async (labelSelector: string) =>
    (await context.rest.json<{ items: Pod[] }>({ path: root, query: { labelSelector } })).items;
  if (args.selector) return await list(args.selector);
  if (!args.pod) throw new CommandError("say of which pod, or give labels with -l");
  if (!args.pod.includes("/") || args.pod.startsWith("pod/") || args.pod.startsWith("pods/")) {
    const name = args.pod.replace(/^pods?\//, "");
    return [await context.rest.json<Pod>({ path: `${root}/${encodeURIComponent(name)}` })];
  }
  const [target] = await resolveTargets(context, args.pod, []);
  if (!target?.name) throw new CommandError(`"${args.pod}" is not of the form kind/name`);
  type Selecting = KubeObject & { spec?: { selector?: { matchLabels?: Record<string, string> } } };
  const owner = await context.rest.json<Selecting>({
    path: pathOf(target.resource, context.namespace, target.name),
  });
  const labels = Object.entries(owner.spec?.selector?.matchLabels ?? {});
  if (labels.length === 0) throw new CommandError(`${args.pod} selects no pods by their labels`);
  // As kubectl does: one pod stands for all.
  return (await list(labels.map(([key, value]) => `${key}=${value}`).join(","))).slice(0, 1);
}

function containersOf(pod: Pod, args: LogsArgs): (string | undefined)[] {
  const { containers, initContainers = [] } = pod.spec;
  if (args.allContainers) return [...initContainers, ...containers].map(({ name }) => name);
  return [args.container ?? containers[0]?.name];
}

async function print(
  { rest, namespace, signal, write }: CommandContext,
  pod: string,
  container: string | undefined,
  args: LogsArgs,
): Promise<void> {
  const flag = (value: boolean | undefined) => (value ? "true" : undefined);
  const body = await rest.stream({
    path: `/api/v1/namespaces/${namespace}/pods/${encodeURIComponent(pod)}/log`,
    query: {
      container,
      follow: flag(args.follow),
      previous: flag(args.previous),
      timestamps: flag(args.timestamps),
      tailLines: args.tail?.toString(),
      sinceSeconds: args.since === undefined ? undefined : String(parseSeconds(args.since)),
    },
    accept: "*/*",
    signal,
  });
  for await (const chunk of body) await write(chunk);
}

/** `90s`, `5m`, `1h30m`, as Go writes durations; whole seconds, at least one. */
export function parseSeconds(text: string): number {
  const units: Record<string, number> = { s: 1, m: 60, h: 3_600 };
  const parts = [...text.matchAll(/(\d+)([smh])/g)];
  if (parts.length === 0 || parts.map(([whole]) => whole).join("") !== text) {
    throw new CommandError(`"${text}" is not a duration such as 30s, 5m or 1h30m`);
  }
  const seconds = parts.reduce(
    (sum, [, count, unit]) => sum + Number(count) * (units[unit ?? ""] ?? 0),
    0,
  );
  return Math.max(1, seconds);
}
