import { afterEach, expect, test } from "vitest";
import type { Informer } from "../../../../actors/kit/informer.ts";
import { ConfigMap } from "../../../../manifests/index.ts";
import { type Scene, type SceneOptions, startScene } from "../../../harness/controller.ts";

let scene: Scene;

afterEach(async () => {
  await scene.dispose();
});

interface Told {
  informer: Informer<ConfigMap>;
  /** `+name`, `~name` and `-name`, each with its resourceVersion. */
  lines: string[];
  /** What contradicts what was told before. */
  contradictions: string[];
}

/** An informer in a process of its own, and an account of what it tells. */
async function startReader(options: SceneOptions = {}): Promise<Told> {
  scene = await startScene(options);
  const lines: string[] = [];
  const contradictions: string[] = [];
  const known = new Map<string, string>();
  let informer: Informer<ConfigMap> | undefined;

  function tell(sign: "+" | "~" | "-", object: ConfigMap, before?: ConfigMap): void {
    const { name = "", uid, resourceVersion = "" } = object.metadata;
    const line = `${sign}${name}@${resourceVersion}`;
    const was = known.get(name);
    const isNews = was === undefined || Number(resourceVersion) > Number(was.split("@")[1]);
    const fits =
      sign === "+" ? was === undefined : was?.split("@")[0] === uid && (sign === "-" || isNews);
    const follows = !before || was === `${uid}@${before.metadata.resourceVersion}`;
    if (!fits || !follows) contradictions.push(`${line} after ${was}`);
    lines.push(line);
    if (sign === "-") known.delete(name);
    else known.set(name, `${uid}@${resourceVersion}`);
  }

  scene.start("reader", (_, informers) => {
    informer = informers.of(ConfigMap);
    informer.addHandlers({
      onAdd: (object) => tell("+", object),
      onUpdate: (before, after) => tell("~", after, before),
      onDelete: (object) => tell("-", object),
    });
  });
  await scene.until("its first list", () => informer?.hasSynced ?? false);
  if (!informer) throw new Error("no informer");
  return { informer, lines, contradictions };
}

/** Resolves with the lines that tell of it. */
async function write(name: string, updates: number): Promise<string[]> {
  const metadata = { name, namespace: "default" };
  let latest = await scene.settle(scene.api.create(ConfigMap, { metadata }));
  const lines = [`+${name}@${latest.metadata.resourceVersion}`];
  for (let turn = 0; turn < updates; turn++) {
    const data = { turn: `${turn}` };
    latest = await scene.settle(scene.api.update(ConfigMap, { metadata: latest.metadata, data }));
    lines.push(`~${name}@${latest.metadata.resourceVersion}`);
  }
  return lines;
}

const remove = (name: string): Promise<unknown> =>
  scene.settle(scene.api.delete(ConfigMap, `default/${name}`));

/** The cache shows what the API has, and nothing was told that cannot have been. */
async function agrees({ informer, contradictions }: Told): Promise<void> {
  await scene.until("the cache to be as the API says", async () => {
    const versions = (items: readonly ConfigMap[]): string =>
      items
        .map(({ metadata }) => `${metadata.name}@${metadata.resourceVersion}`)
        .sort()
        .join();
    const { items } = await scene.api.list(ConfigMap);
    return versions(items) === versions(informer.lister.list());
  });
  expect(contradictions).toEqual([]);
}

test("informer: after a lost connection every change is told once, in its order", async () => {
  const told = await startReader();
  const wanted = await write("before", 3);
  for (const forMs of [0, 300, 3_000]) {
    scene.network.cut("reader", { forMs });
    wanted.push(...(await write(`cut-${forMs}`, 5)));
    await scene.passes(forMs + 500);
  }
  await agrees(told);
  expect(told.lines).toEqual(wanted);
});

test("informer: after a partition that nobody was told of, nothing is missing", async () => {
  const told = await startReader();
  const wanted: string[] = [];
  for (const forMs of [2_000, 40_000]) {
    scene.network.partition("reader", { forMs });
    wanted.push(...(await write(`apart-${forMs}`, 5)));
    await scene.passes(forMs + 20_000);
  }
  await agrees(told);
  expect(told.lines).toEqual(wanted);
});

test("informer: an API actor that dies is followed by the next, from the same revision", async () => {
  const told = await startReader();
  const wanted = await write("first", 5);
  scene.servers[0]?.kill();
  await scene.passes(1_000);
  scene.servers[0]?.start();
  wanted.push(...(await write("second", 5)));
  await agrees(told);
  expect(told.lines).toEqual(wanted);
});

test("informer: too long away, it lists again and tells the difference", async () => {
  const told = await startReader({ window: { changes: 20 } });
  await write("stays", 0);
  await write("changes", 0);
  await write("goes", 0);
  await write("replaced", 0);
  await agrees(told);
  told.lines.length = 0;

  scene.network.cut("reader", { forMs: 5_000 });
  const gone = await scene.settle(scene.api.get(ConfigMap, "default/goes"));
  const replaced = await scene.settle(scene.api.get(ConfigMap, "default/replaced"));
  await remove("goes");
  await remove("replaced");
  const again = await write("replaced", 0);
  const changed = await scene.settle(scene.api.get(ConfigMap, "default/changes"));
  const data = { changed: "yes" };
  const { metadata } = await scene.settle(
    scene.api.update(ConfigMap, { metadata: changed.metadata, data }),
  );
  await write("fleeting", 30);
  await remove("fleeting");
  await scene.passes(6_000);
  await agrees(told);
  expect([...told.lines].sort()).toEqual(
    [
      `~changes@${metadata.resourceVersion}`,
      `-goes@${gone.metadata.resourceVersion}`,
      `-replaced@${replaced.metadata.resourceVersion}`,
      ...again,
    ].sort(),
  );
});

test("informer: a handler that comes late is told of everything first", async () => {
  const { informer } = await startReader();
  await write("one", 1);
  await write("two", 0);
  await scene.until("both", () => informer.lister.list().length === 2);
  const late: string[] = [];
  const subscription = informer.addHandlers({
    onAdd: ({ metadata }) => late.push(metadata.name ?? ""),
  });
  expect(late.sort()).toEqual(["one", "two"]);
  subscription.unsubscribe();
  await write("three", 0);
  await scene.until("the third", () => informer.lister.list().length === 3);
  expect(late).toHaveLength(2);
});

test("informer: one that is held ends with its last holder, and one that is kept does not", async () => {
  scene = await startScene();
  let found: { informer: Informer<ConfigMap>; release(): void }[] = [];
  let kept: Informer<ConfigMap> | undefined;
  scene.start("reader", (_, informers) => {
    found = [informers.hold(ConfigMap), informers.hold(ConfigMap)];
  });
  scene.start("keeper", (_, informers) => {
    kept = informers.of(ConfigMap);
    informers.hold(ConfigMap).release();
  });
  const [first, second] = found;
  if (!first || !second) throw new Error("no informer");
  expect(first.informer).toBe(second.informer);
  await scene.until("their first lists", () =>
    Boolean(first.informer.hasSynced && kept?.hasSynced),
  );
  const names = (informer?: Informer<ConfigMap>) =>
    informer?.lister.list().map(({ metadata }) => metadata.name);
  const create = (name: string) =>
    scene.settle(scene.api.create(ConfigMap, { metadata: { name, namespace: "default" } }));
  first.release();
  first.release();
  await create("a");
  await scene.until("the other holder to be told", () => names(second.informer)?.length === 1);
  second.release();
  await create("b");
  await scene.until("who keeps it to be told", () => names(kept)?.length === 2);
  await scene.passes(5_000);
  expect(names(second.informer)).toEqual(["a"]);
});
