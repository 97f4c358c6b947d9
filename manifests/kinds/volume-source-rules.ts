/**
 * The sources of volumes, of pods and of PersistentVolumes alike: what each must say
 * (k8s:pkg/apis/core/validation/validation.go, validateVolumeSource and ValidatePersistentVolumeSpec).
 */
import type { FCVolumeSource, ISCSIVolumeSource } from "../schema/types.generated.ts";
import { driverName, inRange } from "../validation/formats.ts";
import { format, holds, type Rule, type RuleTable, type TypeRules } from "../validation/rules.ts";
import { validateLocalPath } from "./mount-validation.ts";

const partition: Rule<number> = holds(
  (value) => value >= 0 && value <= 255,
  "must be between 1 and 255, inclusive",
);
const lun: Rule<number> = (errors, value, at) =>
  errors.invalidEach(at, value, inRange(value, 0, 255));
const noBacksteps: Rule<string> = holds(
  (path) => !path.split("/").includes(".."),
  "must not contain '..'",
);
const absolute: Rule<string> = holds((path) => path.startsWith("/"), "must be an absolute path");

const iscsi: TypeRules = {
  fields: {
    iqn: holds(
      (name: string) => /^(?:iqn|eui|naa)/.test(name),
      "must be valid format starting with iqn, eui, or naa",
    ),
    lun,
  },
  whole: (errors, source: ISCSIVolumeSource, at) => {
    const isAuthenticated = source.chapAuthDiscovery || source.chapAuthSession;
    if (isAuthenticated && !source.secretRef) errors.required(`${at}.secretRef`);
    if (source.secretRef && !source.secretRef.name) errors.required(`${at}.secretRef.name`);
  },
};

const cephfs: TypeRules = { required: { monitors: "" } };
const rbd: TypeRules = { required: { monitors: "" } };
const glusterfs: TypeRules = { required: { endpoints: "", path: "" } };
const scaleIO: TypeRules = { required: { volumeName: "" } };

export const volumeSourceRules: RuleTable = {
  "core.v1.HostPathVolumeSource": { fields: { path: noBacksteps } },
  "core.v1.GCEPersistentDiskVolumeSource": { fields: { partition } },
  "core.v1.AWSElasticBlockStoreVolumeSource": { fields: { partition } },
  "core.v1.GitRepoVolumeSource": {
    fields: { directory: (errors, path: string, at) => validateLocalPath(errors, path, at) },
  },
  "core.v1.NFSVolumeSource": { fields: { path: absolute } },
  "core.v1.ISCSIVolumeSource": iscsi,
  "core.v1.ISCSIPersistentVolumeSource": iscsi,
  "core.v1.GlusterfsVolumeSource": glusterfs,
  "core.v1.GlusterfsPersistentVolumeSource": glusterfs,
  "core.v1.CephFSVolumeSource": cephfs,
  "core.v1.CephFSPersistentVolumeSource": cephfs,
  "core.v1.RBDVolumeSource": rbd,
  "core.v1.RBDPersistentVolumeSource": rbd,
  "core.v1.ScaleIOVolumeSource": scaleIO,
  "core.v1.ScaleIOPersistentVolumeSource": scaleIO,
  "core.v1.FCVolumeSource": { whole: validateFibre },
  "core.v1.LocalVolumeSource": { fields: { path: noBacksteps } },
  "core.v1.CSIVolumeSource": { fields: { driver: format(driverName) } },
  "core.v1.CSIPersistentVolumeSource": { fields: { driver: format(driverName) } },
};

/** A disk is found by its names and number on the fabric, or by its own. */
function validateFibre(
  ...[errors, { targetWWNs = [], wwids = [], lun: number }, at]: Parameters<Rule<FCVolumeSource>>
): void {
  if (targetWWNs.length === 0 && wwids.length === 0) {
    errors.required(`${at}.targetWWNs`, "must specify either targetWWNs or wwids, but not both");
  } else if (targetWWNs.length > 0 && wwids.length > 0) {
    const detail = "targetWWNs and wwids can not be specified simultaneously";
    errors.invalid(`${at}.targetWWNs`, targetWWNs, detail);
  }
  if (targetWWNs.length === 0) return;
  if (number === undefined)
    errors.required(`${at}.lun`, "lun is required if targetWWNs is specified");
  else lun(errors, number, `${at}.lun`);
}
