/** How objects of a custom kind are kept: in one version, whichever they are asked for in. */

import {
  type CustomResourceDefinition,
  decode,
  type Kind,
  type KubeObject,
  setDefaults,
  storageVersion,
} from "../../../manifests/index.ts";

export interface StoredForm {
  /** Of the version and what it is read by: the same bytes under another id may read otherwise. */
  readonly id: string;
  /** Present when reading takes asking elsewhere first: one outcome for each object, in their order. */
  convert?(stored: readonly KubeObject[]): Promise<readonly KubeObject[]>;
  /** What was stored, or converted, as the version that was asked for: pruned and defaulted by today's schema. */
  read(stored: KubeObject): KubeObject;
  write(object: KubeObject): KubeObject | Promise<KubeObject>;
}

export function storedForm(
  definition: CustomResourceDefinition,
  kind: Kind,
  id: string,
): StoredForm {
  const { group } = definition.spec;
  const storedAs = `${group}/${storageVersion(definition)?.name ?? kind.version}`;
  return {
    id,
    read: (stored) => setDefaults(kind, decode(kind, stored).object),
    write: (object) => ({ ...object, apiVersion: storedAs }),
  };
}
