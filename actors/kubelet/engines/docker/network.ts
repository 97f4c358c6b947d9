/**
 * The node's pod network in Docker: one bridge whose subnet is the node's pod CIDR. Docker only
 * makes the bridge and gives out addresses; masquerade, routes and Services are the proxy's.
 */

import { createHash } from "node:crypto";
import type Docker from "dockerode";
import type { NetworkInspectInfo } from "dockerode";
import { EngineError } from "../../engine.ts";
import { call, callUnlessGone, statusCodeOf } from "./errors.ts";
import { type Owner, ownerLabels } from "./labels.ts";

export interface PodNetwork {
  name: string;
  /** The network interface on the machine; the kernel allows 15 characters. */
  bridge: string;
  podCIDR: string;
}

export function podNetwork(owner: Owner, podCIDR: string): PodNetwork {
  const name = `wherry-${owner.cluster}-${owner.node}`;
  const hash = createHash("sha256").update(name).digest("hex");
  return { name, bridge: `wh${hash.slice(0, 10)}`, podCIDR };
}

/** Makes the network if it is absent, and again if it is there with another subnet but empty. */
export async function ensureNetwork(
  docker: Docker,
  owner: Owner,
  network: PodNetwork,
): Promise<void> {
  const found = await findNetwork(docker, network.name);
  if (found) {
    const subnet = found.IPAM?.Config?.[0]?.Subnet;
    if (subnet === network.podCIDR) return;
    if (Object.keys(found.Containers ?? {}).length > 0) {
      const message = `Docker network ${network.name} has subnet ${subnet}, not ${network.podCIDR}`;
      throw new EngineError("failed", `${message}, and pods in it`);
    }
    await callUnlessGone(() => docker.getNetwork(found.Id).remove());
  }
  await createNetwork(docker, owner, network);
}

/**
 * The kernel's bridge was removed behind Docker's back: the network is made anew. Sandboxes that
 * still run in it have lost their network with it; they are stopped, so that the kubelet replaces
 * them.
 */
export async function remakeNetwork(
  docker: Docker,
  owner: Owner,
  network: PodNetwork,
): Promise<void> {
  const found = await findNetwork(docker, network.name);
  if (found) {
    const ids = Object.keys(found.Containers ?? {});
    await Promise.all(
      ids.map((id) => callUnlessGone(() => docker.getContainer(id).stop({ t: 0 }))),
    );
    await callUnlessGone(() => docker.getNetwork(found.Id).remove());
  }
  await createNetwork(docker, owner, network);
}

async function findNetwork(docker: Docker, name: string): Promise<NetworkInspectInfo | undefined> {
  return callUnlessGone(() => docker.getNetwork(name).inspect());
}

async function createNetwork(docker: Docker, owner: Owner, network: PodNetwork): Promise<void> {
  const options = {
    Name: network.name,
    CheckDuplicate: true,
    Driver: "bridge",
    IPAM: { Driver: "default", Config: [{ Subnet: network.podCIDR }] },
    Options: {
      "com.docker.network.bridge.name": network.bridge,
      "com.docker.network.bridge.enable_ip_masquerade": "false",
      "com.docker.network.bridge.enable_icc": "true",
    },
    Labels: ownerLabels(owner, "network"),
  };
  await call(async () => {
    try {
      await docker.createNetwork(options);
    } catch (error) {
      // Another caller made it in the same moment.
      if (statusCodeOf(error) !== 409) throw error;
    }
  });
}
