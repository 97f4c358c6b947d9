import { createSimEngine, type SimEngine } from "../../actors/kubelet/engines/sim/index.ts";
import { realClock, realRandom } from "../../runtime/real.ts";
import { describeEngine } from "./engine-suite.ts";

describeEngine("sim engine", async () => {
  const image = "busybox:1.35";
  const engine: SimEngine = createSimEngine({
    clock: realClock,
    random: realRandom,
    podCIDR: "10.244.3.0/24",
    startDelayMs: () => 1,
  });
  await engine.pullImage(image);
  return {
    engine,
    image,
    podPrefix: "10.244.3.",
    reopen: () => engine,
    real: false,
    close: async () => engine.close(),
  };
});
