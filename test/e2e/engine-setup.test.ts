import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { pauseImage } from "../../deploy/images/index.ts";
import { startTestDocker, type TestDocker } from "../harness/docker.ts";
import { waitFor } from "../harness/wait.ts";

describe("dockerd of our own", () => {
  let engine: TestDocker;
  beforeAll(async () => {
    engine = await startTestDocker();
  });
  afterAll(async () => {
    await engine.stop();
  });

  async function runNginx() {
    const container = await engine.docker.createContainer({
      Image: "nginx:1.22",
      HostConfig: { NetworkMode: "none" },
    });
    await container.start();
    return container;
  }

  test("images: the nginx stand-in serves its page and logs the request on stdout", async () => {
    const container = await runNginx();
    const page = await waitFor("the page", async () => {
      const command = ["wget", "-qO-", "http://127.0.0.1/"];
      const exec = await container.exec({ Cmd: command, AttachStdout: true });
      let text = "";
      for await (const chunk of await exec.start({})) text += String(chunk);
      return text.includes("Welcome to nginx!") && text;
    });
    expect(page).toContain("<html>");
    const logs = String(await container.logs({ stdout: true, stderr: false }));
    expect(logs).toContain('"GET / HTTP/1.1" 200');
    const { Config } = await container.inspect();
    expect(Config.Labels).toMatchObject({ "wherry.stand-in": "true" });
    await container.remove({ force: true });
  });

  test("images: the pause container stays, and ends at once when told to", async () => {
    const container = await engine.docker.createContainer({ Image: pauseImage });
    await container.start();
    const before = performance.now();
    await container.stop({ t: 10 });
    expect(performance.now() - before).toBeLessThan(5_000);
    await container.remove();
  });

  test("dockerd: killed with -9 it comes back, and its containers never stopped", async () => {
    const container = await runNginx();
    const { State } = await container.inspect();
    process.kill(engine.pid, "SIGKILL");
    const after = await waitFor("dockerd to come back", async () => {
      const state = (await container.inspect()).State;
      return (await engine.docker.version()) && state;
    });
    expect(after.Running).toBe(true);
    expect(after.Pid).toBe(State.Pid);
    await container.remove({ force: true });
  });
});
