/** What a Pod refers to by name: what its node must be able to read (k8s:pkg/api/v1/pod/util.go). */

import type { Container, EphemeralContainer, Pod, Volume } from "../../../manifests/index.ts";

export type Reference =
  | "pod"
  | "secret"
  | "configmap"
  | "persistentvolumeclaim"
  | "serviceaccount"
  | "resourceclaim";

type Named = [Reference, string];
type Maybe = [Reference, string | undefined];

/** In the pod's own namespace. A mirror pod refers to nothing: its node made it. */
export function podReferences({ metadata, spec, status }: Pod): Named[] {
  if (metadata.annotations?.["kubernetes.io/config.mirror"] !== undefined) return [];
  const { initContainers = [], containers, ephemeralContainers = [], volumes = [] } = spec;
  const claims = [...(spec.resourceClaims ?? []), ...(status?.resourceClaimStatuses ?? [])];
  const found: Maybe[] = [
    ["serviceaccount", spec.serviceAccountName],
    ...(spec.imagePullSecrets ?? []).map(({ name }): Maybe => ["secret", name]),
    ...[...initContainers, ...containers, ...ephemeralContainers].flatMap(ofContainer),
    ...volumes.flatMap((volume) => ofVolume(volume, metadata.name ?? "")),
    ...claims.map(({ resourceClaimName }): Maybe => ["resourceclaim", resourceClaimName]),
  ];
  return found.flatMap(([kind, name]) => (name ? [[kind, name] satisfies Named] : []));
}

function ofContainer({ env = [], envFrom = [] }: Container | EphemeralContainer): Maybe[] {
  return [
    ...envFrom.flatMap(({ secretRef, configMapRef }): Maybe[] => [
      ["secret", secretRef?.name],
      ["configmap", configMapRef?.name],
    ]),
    ...env.flatMap(({ valueFrom }): Maybe[] => [
      ["secret", valueFrom?.secretKeyRef?.name],
      ["configmap", valueFrom?.configMapKeyRef?.name],
    ]),
  ];
}

function ofVolume(volume: Volume, pod: string): Maybe[] {
  const { secret, configMap, projected, persistentVolumeClaim, ephemeral } = volume;
  return [
    ["secret", secret?.secretName],
    ["configmap", configMap?.name],
    ["persistentvolumeclaim", persistentVolumeClaim?.claimName],
    ["persistentvolumeclaim", ephemeral ? `${pod}-${volume.name}` : undefined],
    ["secret", volume.azureFile?.secretName],
    ["secret", volume.csi?.nodePublishSecretRef?.name],
    ["secret", volume.cephfs?.secretRef?.name],
    ["secret", volume.cinder?.secretRef?.name],
    ["secret", volume.flexVolume?.secretRef?.name],
    ["secret", volume.iscsi?.secretRef?.name],
    ["secret", volume.rbd?.secretRef?.name],
    ["secret", volume.scaleIO?.secretRef?.name],
    ["secret", volume.storageos?.secretRef?.name],
    ...(projected?.sources ?? []).flatMap((source): Maybe[] => [
      ["secret", source.secret?.name],
      ["configmap", source.configMap?.name],
    ]),
  ];
}
