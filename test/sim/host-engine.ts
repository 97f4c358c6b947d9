/**
 * A process's client of a simulated engine: what the dead asked for happens, but they never hear
 * of it, and what they would ask next is not asked. The engine itself outlives them, as Docker does.
 */

import type { Engine } from "../../actors/kubelet/engine.ts";
import type { SimHost } from "../../runtime/sim/process.ts";

export function hostEngine(host: SimHost, engine: Engine): Engine {
  function whileAlive<A extends unknown[], T>(ask: (...args: A) => Promise<T>) {
    return (...args: A): Promise<T> => {
      if (!host.alive) return new Promise(() => {});
      return new Promise((resolve, reject) => {
        ask.apply(engine, args).then(
          (answer) => host.alive && resolve(answer),
          (error: unknown) => host.alive && reject(error),
        );
      });
    };
  }
  return {
    name: engine.name,
    version: whileAlive(engine.version),
    runSandbox: whileAlive(engine.runSandbox),
    stopSandbox: whileAlive(engine.stopSandbox),
    removeSandbox: whileAlive(engine.removeSandbox),
    listSandboxes: whileAlive(engine.listSandboxes),
    createContainer: whileAlive(engine.createContainer),
    startContainer: whileAlive(engine.startContainer),
    stopContainer: whileAlive(engine.stopContainer),
    removeContainer: whileAlive(engine.removeContainer),
    listContainers: whileAlive(engine.listContainers),
    containerState: whileAlive(engine.containerState),
    imageState: whileAlive(engine.imageState),
    pullImage: whileAlive(engine.pullImage),
    listImages: whileAlive(engine.listImages),
    removeImage: whileAlive(engine.removeImage),
    logs: whileAlive(engine.logs),
    exec: whileAlive(engine.exec),
    attach: whileAlive(engine.attach),
    stats: whileAlive(engine.stats),
    events(onEvent, onEnd) {
      const stream = engine.events(
        (event) => host.alive && onEvent(event),
        (error) => host.alive && onEnd(error),
      );
      host.onKill(() => stream.close());
      return stream;
    },
    // The engine is not the process's own: it only lets go.
    close: () => {},
  };
}
