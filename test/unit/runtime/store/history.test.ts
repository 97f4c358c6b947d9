/** Time travel in a cluster, where a consumer may live on a server that lags behind the others. */

import { expect, test } from "vitest";
import type { Journal } from "../../../../runtime/store/journal.ts";
import { createStore } from "../../../../runtime/store/objects.ts";
import { podKey, write } from "../../../integration/store-contract.ts";
import { createScene, settle } from "./scene.ts";

const lagMs = 300;

test("history: a consumer on a server that lags behind does not cut it short", async () => {
  const { world, stream } = createScene({ facts: { replicated: true } });
  const journal = stream.connect();
  let lags = false;
  /** What consumers say on such a server: that is all there is, and then comes the rest. */
  const lagging: Journal = {
    stream: journal.stream,
    append: (records) => journal.append(records),
    info: () => journal.info(),
    last: (subject) => journal.last(subject),
    at: (sequence) => journal.at(sequence),
    purge: (subject, below) => journal.purge(subject, below),
    consume(options) {
      if (!lags) return journal.consume(options);
      world.schedule(1, () => options.onCaughtUp?.());
      let rest: ReturnType<Journal["consume"]> | undefined;
      world.schedule(lagMs, () => {
        rest = journal.consume(options);
      });
      return { stop: async () => await rest?.stop() };
    },
  };
  const store = createStore({ ...world, journal: lagging });
  await world.run({ until: () => store.ready, maxVirtualMs: 10_000 });
  const commit = async (value: string, expected: number): Promise<number> => {
    const [committed] = await settle(world, store.commit([write("a", value, expected)]));
    return committed?.sequence ?? 0;
  };
  const first = await commit("one", 0);
  const second = await commit("two", first);
  await commit("three", second);
  lags = true;
  const entry = await settle(world, store.at(podKey("a"), second));
  expect(new TextDecoder().decode(entry?.value)).toBe("two");
  await settle(world, store.close());
});
