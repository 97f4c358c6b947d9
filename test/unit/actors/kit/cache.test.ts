import { expect, test } from "vitest";
import { byOwner, Cache } from "../../../../actors/kit/cache.ts";
import type { ConfigMap } from "../../../../manifests/index.ts";

function labelled(name: string, labels: Record<string, string>): ConfigMap {
  return { metadata: { name, namespace: "default", labels } };
}

/** As two modules would write them, each calling its own what it likes. */
function usersOfOneCache() {
  const byLabel = ({ metadata }: ConfigMap) => [metadata.labels?.app ?? ""];
  const managed = { byLabel: ({ metadata }: ConfigMap) => [metadata.labels?.manager ?? ""] };
  return { byApp: byLabel, byManager: managed.byLabel };
}

test("cache: two users of one cache find by their own indexes, though both call them alike", () => {
  const { byApp, byManager } = usersOfOneCache();
  expect(byApp.name).toBe(byManager.name);
  const cache = new Cache<ConfigMap>();
  cache.addIndex(byApp);
  const web = labelled("web", { app: "a", manager: "m" });
  cache.set(web);
  cache.addIndex(byManager);
  cache.addIndex(byManager);

  expect(cache.by(byApp, "a")).toEqual([web]);
  expect(cache.by(byManager, "m")).toEqual([web]);
  expect(cache.by(byManager, "a")).toEqual([]);

  const moved = labelled("web", { app: "b", manager: "m" });
  cache.set(moved);
  expect(cache.by(byApp, "a")).toEqual([]);
  expect(cache.by(byApp, "b")).toEqual([moved]);
  cache.delete("default/web");
  expect(cache.by(byManager, "m")).toEqual([]);
});

test("cache: an index that nobody added is a mistake, not an empty answer", () => {
  const cache = new Cache<ConfigMap>();
  expect(() => cache.by(usersOfOneCache().byApp, "a")).toThrow("No index byLabel was added");
  expect(cache.by(byOwner, "uid")).toEqual([]);
});
