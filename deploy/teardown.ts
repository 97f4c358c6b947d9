/**
 * Takes away what a cluster made on the machine, found by name and label, so that it does not
 * matter who made it and how that process ended. Used at the end of `wherry up` and by `wherry
 * down`. The data folder itself is not touched here.
 */
import type Docker from "dockerode";
import { label } from "../actors/kubelet/engines/docker/labels.ts";
import { podNetwork } from "../actors/kubelet/engines/docker/network.ts";
import { removeAdmissions, removeHostRoutes } from "../actors/proxy/host-network.ts";
import { type ClusterIdentity, tableOf } from "./identity.ts";
import { pauseImage } from "./images/index.ts";
import { releaseSettings } from "./kernel-settings.ts";
import { run, tryRun } from "./setup/exec.ts";
import { findOnPath } from "./setup/index.ts";

/** Docker does no more than a few at once, whatever one asks. */
const parallelRemovals = 4;
/** A pod's own grace period is the API's business; at the end of everything there is little. */
const stopSeconds = 2;

/** Containers, networks and volumes of a cluster in one Docker. */
export async function removeFromDocker(docker: Docker, cluster: string): Promise<void> {
  const filters = { label: [`${label.cluster}=${cluster}`] };
  const containers = await docker.listContainers({ all: true, filters });
  // Application containers first: they lose their network with the sandbox.
  const sandboxes = containers.filter((it) => it.Labels[label.kind] === "sandbox");
  const others = containers.filter((it) => it.Labels[label.kind] !== "sandbox");
  for (const group of [others, sandboxes]) {
    const waiting = group.map((it) => it.Id);
    const worker = async (): Promise<void> => {
      for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
        await removeContainer(docker, id);
      }
    };
    await Promise.all(Array.from({ length: parallelRemovals }, worker));
  }
  for (const network of await docker.listNetworks({ filters })) {
    await unlessGone(docker.getNetwork(network.Id).remove());
  }
}

async function removeContainer(docker: Docker, id: string): Promise<void> {
  const container = docker.getContainer(id);
  await unlessGone(container.stop({ t: stopSeconds }));
  await unlessGone(container.remove({ force: true, v: true }));
}

/** Gone already, stopped already, or somebody else is just removing it: all as wished. */
async function unlessGone(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    const { statusCode } = error as { statusCode?: number };
    if (statusCode !== 404 && statusCode !== 304 && statusCode !== 409) throw error;
  }
}

/** From a Docker that is not ours, the one image that we put there. */
export async function removePauseImage(docker: Docker): Promise<void> {
  await unlessGone(docker.getImage(pauseImage).remove());
}

export interface NetworkTools {
  readonly ip: string;
  /** Undefined where nftables was never used. */
  readonly nft: string | undefined;
}

/** Rules, routes, bridges and kernel settings. What is gone already is no error. */
export async function removeNetwork(
  identity: ClusterIdentity,
  { ip, nft }: NetworkTools,
): Promise<void> {
  if (nft) {
    const table = tableOf(identity);
    // Declaring it first makes deleting it work whether or not it is there.
    await run(nft, ["-f", "-"], { input: `table ip ${table} {}\ndelete table ip ${table}\n` });
  }
  const { podCidr, serviceCidr } = identity;
  await removeHostRoutes({ ip, podCidr, serviceCidr });
  await removeAdmissions({ iptables: await findOnPath("iptables"), podCidr });
  for (const node of identity.nodes) {
    const { bridge } = podNetwork({ cluster: identity.id, node }, podCidr);
    await tryRun(ip, ["link", "delete", bridge]);
  }
  await releaseSettings(identity.id);
}
