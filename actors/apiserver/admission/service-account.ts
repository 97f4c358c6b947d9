/**
 * ServiceAccount: every pod runs as somebody, and gets that account's token to show to the API.
 * k8s: plugin/pkg/admission/serviceaccount.
 */

import { type Container, Pod, ServiceAccount, type Volume } from "../../../manifests/index.ts";
import type { Clock } from "../../../runtime/clock.ts";
import type { Random } from "../../../runtime/random.ts";
import { type AdmissionContext, type Attributes, concerns, type Plugin, refused } from "./chain.ts";

export interface AccountParts {
  readonly clock: Clock;
  readonly random: Random;
}

const defaultName = "default";
/** The account `default` comes by itself, shortly after its namespace. */
const defaultPatienceMs = 1_500;
const lookAgainMs = 100;
const tokenPath = "/var/run/secrets/kubernetes.io/serviceaccount";
const volumePrefix = "kube-api-access-";
const suffixLength = 5;
/** The API knows by this very number that the token is a pod's own: `authn/token-request.ts`. */
const tokenSeconds = 3_607;
/** The picture of a pod that a node runs by itself: it is nobody here. */
const mirrorAnnotation = "kubernetes.io/config.mirror";

/** Without parts no tokens are issued, and pods need no account. */
export function serviceAccount(parts?: AccountParts): Plugin {
  return {
    name: "ServiceAccount",
    handles: (target) => concerns(target, [Pod], "CREATE"),
    mutate(attributes, context) {
      const given = attributes.object as Pod;
      if (given.metadata.annotations?.[mirrorAnnotation] !== undefined) return undefined;
      const pod = named(given);
      return parts ? withAccount(pod, attributes, context, parts) : pod;
    },
  };
}

function named(pod: Pod): Pod {
  const serviceAccountName = pod.spec.serviceAccountName || defaultName;
  return { ...pod, spec: { ...pod.spec, serviceAccountName, serviceAccount: serviceAccountName } };
}

/** With the account's image secrets and, unless somebody objects, its token. */
async function withAccount(
  pod: Pod,
  attributes: Attributes,
  { reader }: AdmissionContext,
  { clock, random }: AccountParts,
): Promise<Pod> {
  const { namespace } = attributes;
  const name = pod.spec.serviceAccountName ?? defaultName;
  let account = await reader.fetch(ServiceAccount, namespace, name);
  const deadline = clock.monotonic() + (name === defaultName ? defaultPatienceMs : 0);
  while (!account && clock.monotonic() < deadline) {
    await clock.sleep(lookAgainMs);
    account = reader.get(ServiceAccount, namespace, name);
  }
  if (!account) {
    const missing = `serviceaccount "${name}" not found`;
    throw refused(attributes, `error looking up service account ${namespace}/${name}: ${missing}`);
  }
  const imagePullSecrets = pod.spec.imagePullSecrets?.length
    ? pod.spec.imagePullSecrets
    : account.imagePullSecrets;
  const spec = { ...pod.spec, ...(imagePullSecrets?.length ? { imagePullSecrets } : {}) };
  const automount =
    pod.spec.automountServiceAccountToken ?? account.automountServiceAccountToken ?? true;
  return { ...pod, spec: automount ? withToken(spec, random) : spec };
}

function withToken(spec: Pod["spec"], random: Random): Pod["spec"] {
  const known = spec.volumes?.find((volume) => volume.name.startsWith(volumePrefix));
  const name = known?.name ?? volumePrefix + random.suffix(suffixLength);
  const lacks = ({ volumeMounts = [] }: Container): boolean =>
    !volumeMounts.some(({ mountPath }) => mountPath === tokenPath);
  const mounted = (container: Container): Container => {
    if (!lacks(container)) return container;
    const mount = { name, readOnly: true, mountPath: tokenPath };
    return { ...container, volumeMounts: [...(container.volumeMounts ?? []), mount] };
  };
  const { initContainers, containers, volumes = [] } = spec;
  const needed = [...(initContainers ?? []), ...containers].some(lacks);
  return {
    ...spec,
    ...(initContainers ? { initContainers: initContainers.map(mounted) } : {}),
    containers: containers.map(mounted),
    ...(needed && !known ? { volumes: [...volumes, tokenVolume(name)] } : {}),
  };
}

function tokenVolume(name: string): Volume {
  const namespace = { apiVersion: "v1", fieldPath: "metadata.namespace" };
  return {
    name,
    projected: {
      defaultMode: 0o644,
      sources: [
        { serviceAccountToken: { expirationSeconds: tokenSeconds, path: "token" } },
        { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
        { downwardAPI: { items: [{ path: "namespace", fieldRef: namespace }] } },
      ],
    },
  };
}
