import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import {
  decode,
  type KubeObject,
  kindOfDocument,
  parseManifests,
  setDefaults,
  validateCreate,
} from "../../../manifests/index.ts";

const folder = new URL("../../../manifests/examples/", import.meta.url);

test.each(readdirSync(folder))("examples: %s decodes strictly and is valid", (file) => {
  const documents = parseManifests(readFileSync(new URL(file, folder), "utf8"));
  expect(documents.length).toBeGreaterThan(0);
  for (const document of documents) {
    const kind = kindOfDocument(document);
    const { object } = decode<KubeObject>(kind, document, { strict: true });
    if (kind.namespaced) object.metadata.namespace = "default";
    expect(validateCreate<KubeObject>(kind, setDefaults<KubeObject>(kind, object))).toEqual([]);
  }
});
