/** The HTTPS door of an API actor, and the controller that establishes custom kinds beside it. */

import type { ApiServerConfig } from "../../actors/apiserver/apiserver.ts";
import { customResourceDefinition } from "../../actors/controllers/custom-resource-definition.ts";
import { createApi } from "../../actors/kit/client.ts";
import { createInformers } from "../../actors/kit/informer.ts";
import { ownerWrites } from "../../actors/kit/owned.ts";
import { grantsOf } from "../../actors/kit/writes.ts";
import { createLog } from "../../runtime/log.ts";
import { realClock, realRandom } from "../../runtime/real.ts";
import { createSystem } from "../../runtime/supervisor.ts";
import { apiPrincipal } from "./api.ts";
import { startHttpsApi, type TestHttpsApi } from "./https.ts";
import { waitFor } from "./wait.ts";

export interface TestCustomApi extends TestHttpsApi {
  until(what: string, holds: () => Promise<boolean>): Promise<unknown>;
}

const principal = "system:wherry:controllers";

export async function startCustomApi(
  config: Partial<ApiServerConfig> = {},
): Promise<TestCustomApi> {
  const grants = new Map([
    [apiPrincipal, grantsOf(ownerWrites)],
    [principal, grantsOf(customResourceDefinition.writes)],
  ]);
  const api = await startHttpsApi({ ...config, grants });
  const log = createLog({ level: process.env.WHERRY_TEST_LOG === "debug" ? "debug" : "silent" });
  const world = { clock: realClock, random: realRandom, log };
  const bus = await api.connect(principal);
  const informers = createInformers(createApi(bus, realClock, { principal, writes: [] }), world);
  const system = createSystem({ ...world, bus });
  system.spawn(customResourceDefinition, { principal, informers });
  return {
    ...api,
    until: (what, holds) => waitFor(what, holds),
    async dispose() {
      informers.close();
      await system.stop();
      await api.dispose();
    },
  };
}
