/** How objects of a custom kind are kept: in one version, whichever they are asked for in. */

import { decode, type Kind, type KubeObject, setDefaults } from "../../../manifests/index.ts";
import type { Convert } from "./conversion.ts";

export interface StoredForm {
  /** Of the version and what it is read by: the same bytes under another id may read otherwise. */
  readonly id: string;
  /** Present when reading takes asking elsewhere first: one outcome for each object, in their order. */
  convert?(stored: readonly KubeObject[]): Promise<readonly KubeObject[]>;
  /** What was stored, or converted, as the version that was asked for: pruned and defaulted by today's schema. */
  read(stored: KubeObject): KubeObject;
  write(object: KubeObject): Promise<KubeObject>;
}

/** `kind` as it is asked for, `stored` as it is kept; without `convert` versions differ in their name only. */
export function storedForm(
  kind: Kind,
  stored: Kind,
  id: string,
  convert: Convert | undefined,
): StoredForm {
  const converts = convert !== undefined && kind !== stored;
  return {
    id,
    read: (object) => decodedAs(kind, object),
    // Also the version that is stored now: what was kept in another one before is asked about.
    ...(convert ? { convert: (objects) => convert(objects, kind.apiVersion) } : {}),
    async write(object) {
      if (!converts) return { ...object, apiVersion: stored.apiVersion };
      const [converted = object] = await convert([object], stored.apiVersion);
      return decodedAs(stored, converted);
    },
  };
}

function decodedAs(kind: Kind, object: KubeObject): KubeObject {
  return setDefaults(kind, decode(kind, object).object);
}
