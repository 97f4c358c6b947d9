import { expect } from "vitest";
import { createStore } from "../../../../runtime/store/objects.ts";
import type { Store } from "../../../../runtime/store/store.ts";
import { describeStore } from "../../../integration/store-contract.ts";
import { createScene, leftovers, settle } from "./scene.ts";

for (const replicated of [false, true]) {
  describeStore(replicated ? "twin, replicated" : "twin", async () => {
    const { world, stream } = createScene({ facts: { replicated } });
    const stores: Store[] = [];
    return {
      connect: async () => stream.connect(),
      open(journal) {
        const store = createStore({ ...world, journal });
        stores.push(store);
        return store;
      },
      settle: (promise) => settle(world, promise),
      until: async (what, condition) => {
        expect(await world.run({ until: condition, maxVirtualMs: 10_000 }), what).toBe(true);
      },
      async dispose() {
        for (const store of stores) await settle(world, store.close());
        expect(await leftovers(world)).toBe(0);
      },
    };
  });
}
