/** The Secrets that a PersistentVolume refers to, as `namespace/name` (k8s:pkg/api/persistentvolume/util.go). */

import type { PersistentVolume } from "../../../manifests/index.ts";

export function volumeSecrets({ spec }: PersistentVolume): string[] {
  // Where a source names no namespace of its own, its Secret lies beside the claim.
  const beside = spec.claimRef?.namespace ?? "";
  const { csi, azureFile } = spec;
  const references: ({ name?: string; namespace?: string } | undefined)[] = [
    csi?.controllerPublishSecretRef,
    csi?.controllerExpandSecretRef,
    csi?.nodePublishSecretRef,
    csi?.nodeStageSecretRef,
    csi?.nodeExpandSecretRef,
    spec.cephfs?.secretRef,
    spec.cinder?.secretRef,
    spec.flexVolume?.secretRef,
    spec.rbd?.secretRef,
    spec.scaleIO?.secretRef,
    spec.iscsi?.secretRef,
    spec.storageos?.secretRef,
    azureFile && { name: azureFile.secretName, namespace: azureFile.secretNamespace },
  ];
  return references.flatMap((ref) => (ref?.name ? [`${ref.namespace || beside}/${ref.name}`] : []));
}
