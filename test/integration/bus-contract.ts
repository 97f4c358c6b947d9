/**
 * What every bus promises. `test/unit/runtime/sim/bus.test.ts` holds the simulated twin to it,
 * `test/integration/bus.test.ts` the real connection to a real nats-server.
 */

import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Bus, BusMessage, SubscribeOptions } from "../../runtime/bus.ts";
import { isBusError, maxPayloadBytes } from "../../runtime/bus.ts";
import type { Permissions } from "../../runtime/sim/network.ts";

/** The connections under test, and what can be done to them. */
export interface BusBench {
  /** The principal's permissions are those of `benchPrincipals`. */
  connect(principal: Principal): Promise<Bus>;
  /** Breaks the principal's connections; they may come back at once. */
  cut(principal: Principal): Promise<void>;
  /** Holds back what the server has for the principal's connections, and lets go of it. */
  stall(principal: Principal): Promise<void>;
  resume(principal: Principal): Promise<void>;
  stopServer(): Promise<void>;
  startServer(): Promise<void>;
  waitFor(what: string, condition: () => boolean): Promise<void>;
  /** Closes everything and finds that nothing is left. */
  dispose(): Promise<void>;
}

export type Principal = "alpha" | "beta" | "narrow" | "answering";

export const benchPrincipals: Record<Principal, Permissions> = {
  alpha: {},
  beta: {},
  narrow: {
    publish: { allow: ["narrow.>"], deny: ["narrow.secret.>"] },
    subscribe: { allow: ["_INBOX.narrow.>", "open.>"] },
  },
  answering: {
    publish: { allow: ["answering.>"] },
    subscribe: { allow: ["_INBOX.answering.>", "ask.>"] },
    allowResponses: { max: 1, expiresMs: 60_000 },
  },
};

/** Where the server cuts off a slow consumer; it may not be lower than the largest message. */
export const benchMaxPendingBytes = 10 * 1024 * 1024;

export function textOf(message: BusMessage): string {
  return new TextDecoder().decode(message.data);
}

export function describeBus(name: string, createBench: () => Promise<BusBench>): void {
  describe(`bus (${name})`, () => {
    let bench: BusBench;
    beforeEach(async () => {
      bench = await createBench();
    });
    afterEach(() => bench.dispose());

    /** Subscribes and waits until the server knows. */
    async function collect(bus: Bus, subject: string, options?: SubscribeOptions) {
      const messages: BusMessage[] = [];
      bus.subscribe(subject, (message) => messages.push(message), options);
      await bus.flush();
      return messages;
    }

    async function codeOf(promise: Promise<unknown>): Promise<string> {
      const outcome = await promise.then(
        () => "answered",
        (error: unknown) => error,
      );
      return isBusError(outcome) ? outcome.code : String(outcome);
    }

    describeDelivery();
    describeRequests();
    describePermissions();
    describeFaults();

    function describeDelivery(): void {
      test("bus: delivers to every subscription that matches, wildcards too, and to no other", async () => {
        const [alpha, beta] = [await bench.connect("alpha"), await bench.connect("beta")];
        const seen = {
          exact: await collect(beta, "pods.a.b"),
          star: await collect(beta, "pods.*.b"),
          rest: await collect(beta, "pods.>"),
          own: await collect(alpha, "pods.a.*"),
          shorter: await collect(beta, "pods.*"),
          other: await collect(beta, "nodes.>"),
        };
        alpha.publish("pods.a.b", "here");
        await bench.waitFor("delivery", () => seen.rest.length === 1 && seen.own.length === 1);
        await beta.flush();
        const counts = Object.fromEntries(Object.entries(seen).map(([k, v]) => [k, v.length]));
        expect(counts).toEqual({ exact: 1, star: 1, rest: 1, own: 1, shorter: 0, other: 0 });
        expect(seen.exact.map(textOf)).toEqual(["here"]);
      });

      test("bus: keeps the order of one publisher, whatever the size", async () => {
        const [alpha, beta] = [await bench.connect("alpha"), await bench.connect("beta")];
        const seen = await collect(beta, "ordered.>");
        const sent = Array.from({ length: 1_000 }, (_, n) => `${n}${"x".repeat(n % 700)}`);
        for (const [n, text] of sent.entries()) alpha.publish(`ordered.${n % 3}`, text);
        await bench.waitFor("all messages", () => seen.length === sent.length);
        expect(seen.map(textOf)).toEqual(sent);
      });

      test("bus: gives each message to one of a queue group, and shares them out", async () => {
        const [alpha, beta] = [await bench.connect("alpha"), await bench.connect("beta")];
        const one = await collect(alpha, "work.*", { queue: "workers" });
        const two = await collect(beta, "work.>", { queue: "workers" });
        const audit = await collect(beta, "work.*");
        for (let n = 0; n < 200; n++) alpha.publish(`work.${n}`);
        await bench.waitFor("the audit", () => audit.length === 200);
        await bench.waitFor("the workers", () => one.length + two.length === 200);
        expect(one.length).toBeGreaterThan(20);
        expect(two.length).toBeGreaterThan(20);
      });

      test("bus: carries headers, bytes and the reply subject", async () => {
        const [alpha, beta] = [await bench.connect("alpha"), await bench.connect("beta")];
        const seen = await collect(beta, "headed");
        const data = Uint8Array.from({ length: 256 }, (_, n) => n);
        alpha.publish("headed", data, { headers: { "Wherry-Write": "a b=c" }, reply: "back.here" });
        alpha.publish("headed");
        await bench.waitFor("delivery", () => seen.length === 2);
        expect(seen[0]?.headers).toEqual({ "Wherry-Write": "a b=c" });
        expect(seen[0]?.reply).toBe("back.here");
        expect(Uint8Array.from(seen[0]?.data ?? [])).toEqual(data);
        expect(seen[1]?.headers).toEqual({});
        expect(seen[1]?.reply || undefined).toBeUndefined();
        expect(seen[1]?.data.length).toBe(0);
      });

      test("bus: delivers nothing after unsubscribe", async () => {
        const [alpha, beta] = [await bench.connect("alpha"), await bench.connect("beta")];
        const seen: string[] = [];
        const subscription = beta.subscribe("news", (message) => {
          seen.push(textOf(message));
          subscription.unsubscribe();
        });
        const all = await collect(beta, "news");
        for (const text of ["first", "second"]) alpha.publish("news", text);
        await bench.waitFor("both", () => all.length === 2);
        expect(seen).toEqual(["first"]);
      });

      test("bus: a handler that throws does not disturb the others", async () => {
        const [alpha, beta] = [await bench.connect("alpha"), await bench.connect("beta")];
        beta.subscribe("fragile", () => {
          throw new Error("a handler's own fault");
        });
        const seen = await collect(beta, "fragile");
        alpha.publish("fragile", "1");
        alpha.publish("fragile", "2");
        await bench.waitFor("both", () => seen.length === 2);
        expect(beta.connected).toBe(true);
      });

      test("bus: refuses what is larger than the server takes, and takes what is as large", async () => {
        const [alpha, beta] = [await bench.connect("alpha"), await bench.connect("beta")];
        const fits = new Uint8Array(maxPayloadBytes);
        const seen = await collect(beta, "large");
        expect(() => alpha.publish("large", new Uint8Array(maxPayloadBytes + 1))).toThrow(
          expect.objectContaining({ code: "too-large" }),
        );
        const withHeaders = { headers: { Padding: "x".repeat(100) } };
        expect(() => alpha.publish("large", new Uint8Array(maxPayloadBytes), withHeaders)).toThrow(
          expect.objectContaining({ code: "too-large" }),
        );
        expect(await codeOf(alpha.request("large", new Uint8Array(maxPayloadBytes + 1)))).toBe(
          "too-large",
        );
        alpha.publish("large", fits);
        await bench.waitFor("the large one", () => seen.length === 1);
        expect(seen[0]?.data.length).toBe(fits.length);
        expect(alpha.connected && beta.connected).toBe(true);
      });

      test("bus: takes a subject that would be read as protocol for a bug", async () => {
        const alpha = await bench.connect("alpha");
        for (const subject of ["", "a..b", "a b", "a.*", "a\r\nPUB b 0\r\n", ".a", "a."]) {
          expect(() => alpha.publish(subject)).toThrow("Not a subject");
        }
        for (const subject of ["", "a..b", "a b", "a.>.b", "a.", "a\n"]) {
          expect(() => alpha.subscribe(subject, () => {})).toThrow("Not a subject");
        }
      });
    }

    function describeRequests(): void {
      test("bus: answers a request, headers and all, to the one who asked", async () => {
        const [alpha, beta] = [await bench.connect("alpha"), await bench.connect("beta")];
        beta.subscribe("double", (message) => {
          message.respond(`${textOf(message)}${textOf(message)}`, {
            Echo: message.headers.Tag ?? "",
          });
        });
        await beta.flush();
        const answers = await Promise.all(
          Array.from({ length: 100 }, (_, n) =>
            alpha.request("double", `${n}.`, { headers: { Tag: `${n}` } }),
          ),
        );
        expect(answers.map(textOf)).toEqual(answers.map((_, n) => `${n}.${n}.`));
        expect(answers.map((answer) => answer.headers.Echo)).toEqual(answers.map((_, n) => `${n}`));
      });

      test("bus: says at once that nobody listens", async () => {
        const alpha = await bench.connect("alpha");
        expect(await codeOf(alpha.request("nobody.home", ""))).toBe("no-responders");
        const inbox = alpha.inbox();
        const seen = await collect(alpha, inbox);
        alpha.publish("nobody.home", "", { reply: inbox });
        await bench.waitFor("the server's word", () => seen.length === 1);
        expect(seen[0]?.headers.Status).toBe("503");
      });

      test("bus: times out when the listener does not answer, and drops the late answer", async () => {
        const [alpha, beta] = [await bench.connect("alpha"), await bench.connect("beta")];
        const seen = await collect(beta, "silent");
        expect(await codeOf(alpha.request("silent", "", { timeoutMs: 100 }))).toBe("timeout");
        expect(seen).toHaveLength(1);
        seen[0]?.respond("too late");
        await beta.flush();
        await alpha.flush();
      });

      test("bus: gives inboxes of its own below its own prefix", async () => {
        const [alpha, beta] = [await bench.connect("alpha"), await bench.connect("beta")];
        expect(alpha.inbox()).toMatch(/^_INBOX\.alpha\.[^.]+$/);
        expect(beta.inbox()).toMatch(/^_INBOX\.beta\.[^.]+$/);
        expect(alpha.inbox()).not.toBe(alpha.inbox());
        const seen = await collect(beta, "where");
        beta.subscribe("where", (message) => message.respond(""));
        await beta.flush();
        await alpha.request("where", "");
        expect(seen[0]?.reply).toMatch(/^_INBOX\.alpha\./);
      });

      test("bus: close sends what was published, rejects what is awaited, and is then quiet", async () => {
        const [alpha, beta] = [await bench.connect("alpha"), await bench.connect("beta")];
        const seen = await collect(beta, "last.words");
        const asked = codeOf(alpha.request("last.words", "a question"));
        for (let n = 0; n < 50; n++) alpha.publish("last.words", `${n}`);
        const closing = alpha.close();
        expect(await asked).toBe("closed");
        await closing;
        await bench.waitFor("all of it", () => seen.length === 51);
        expect(alpha.connected).toBe(false);
        alpha.publish("last.words", "never");
        alpha.subscribe("last.words", () => {}).unsubscribe();
        expect(await codeOf(alpha.request("last.words", ""))).toBe("closed");
        expect(await codeOf(alpha.flush())).toBe("closed");
        await alpha.close();
        await beta.flush();
        expect(seen).toHaveLength(51);
      });
    }

    function describePermissions(): void {
      test("bus: a forbidden request is rejected, a forbidden publish lost, the rest goes on", async () => {
        const [alpha, narrow] = [await bench.connect("alpha"), await bench.connect("narrow")];
        const seen = await collect(alpha, ">");
        alpha.subscribe("narrow.ask", (message) => message.respond("granted"));
        await alpha.flush();
        expect(await codeOf(narrow.request("wide.ask", ""))).toBe("forbidden");
        expect(await codeOf(narrow.request("narrow.secret.ask", ""))).toBe("forbidden");
        narrow.publish("wide.tell", "");
        expect(textOf(await narrow.request("narrow.ask", ""))).toBe("granted");
        const subjects = seen.map((message) => message.subject);
        expect(subjects.filter((subject) => !subject.startsWith("_INBOX."))).toEqual([
          "narrow.ask",
        ]);
      });

      test("bus: a forbidden subscription is told so and hears nothing", async () => {
        const [alpha, narrow] = [await bench.connect("alpha"), await bench.connect("narrow")];
        const refused: string[] = [];
        const onError = (error: Error) => refused.push(isBusError(error) ? error.code : "?");
        const closed = await collect(narrow, "closed.door", { onError });
        const inbox = await collect(narrow, "_INBOX.alpha.*", { onError });
        const everything = await collect(narrow, ">", { onError });
        const open = await collect(narrow, "open.*", { onError });
        for (const subject of ["closed.door", "_INBOX.alpha.x", "open.door"])
          alpha.publish(subject);
        await bench.waitFor("the open door", () => open.length === 1);
        expect(refused).toEqual(["forbidden", "forbidden", "forbidden"]);
        expect([closed.length, inbox.length, everything.length]).toEqual([0, 0, 0]);
      });

      test("bus: who may only answer may answer once, and only what was asked", async () => {
        const [alpha, answering] = [await bench.connect("alpha"), await bench.connect("answering")];
        answering.subscribe("ask.me", (message) => {
          message.respond("once");
          message.respond("twice");
          answering.publish("_INBOX.alpha.stranger", "unasked");
        });
        await answering.flush();
        const inbox = alpha.inbox();
        const answers = await collect(alpha, inbox);
        const strangers = await collect(alpha, "_INBOX.alpha.stranger");
        alpha.publish("ask.me", "", { reply: inbox });
        await bench.waitFor("an answer", () => answers.length > 0);
        await answering.flush();
        await alpha.flush();
        expect(answers.map(textOf)).toEqual(["once"]);
        expect(strangers).toEqual([]);
      });
    }

    function describeFaults(): void {
      test("bus: a cut is told, rejects what is awaited, and mends with all subscriptions", async () => {
        const [alpha, beta] = [await bench.connect("alpha"), await bench.connect("beta")];
        const status: boolean[] = [];
        alpha.onStatus((connected) => status.push(connected));
        await collect(beta, "unanswered");
        const news = await collect(alpha, "news");
        const asked = codeOf(alpha.request("unanswered", "", { timeoutMs: 60_000 }));
        await alpha.flush();
        await bench.cut("alpha");
        expect(await asked).toBe("disconnected");
        await bench.waitFor("the way back", () => status.length === 2);
        expect(status).toEqual([false, true]);
        await alpha.flush();
        beta.publish("news", "after");
        await bench.waitFor("news", () => news.length === 1);
      });

      test("bus: without a server nothing is kept for later, and requests fail at once", async () => {
        const [alpha, beta] = [await bench.connect("alpha"), await bench.connect("beta")];
        const seen = await collect(beta, "news");
        await bench.stopServer();
        await bench.waitFor("the loss", () => !alpha.connected && !beta.connected);
        expect(await codeOf(alpha.request("news", "", { timeoutMs: 60_000 }))).toBe("disconnected");
        expect(await codeOf(alpha.flush())).toBe("disconnected");
        for (let n = 0; n < 10; n++) alpha.publish("news", "lost");
        const late = alpha.subscribe("late", (message) => message.respond("subscribed while away"));
        await bench.startServer();
        await bench.waitFor("the return", () => alpha.connected && beta.connected);
        await Promise.all([alpha.flush(), beta.flush()]);
        alpha.publish("news", "kept");
        await bench.waitFor("news", () => seen.length > 0);
        expect(seen.map(textOf)).toEqual(["kept"]);
        expect(textOf(await beta.request("late", ""))).toBe("subscribed while away");
        late.unsubscribe();
      });

      test("bus: what was held back arrives late and in order", async () => {
        const [alpha, beta] = [await bench.connect("alpha"), await bench.connect("beta")];
        const seen = await collect(beta, "held");
        await bench.stall("beta");
        for (let n = 0; n < 100; n++) alpha.publish("held", `${n}`);
        await alpha.flush();
        expect(seen).toEqual([]);
        await bench.resume("beta");
        await bench.waitFor("all of it", () => seen.length === 100);
        expect(seen.map(textOf)).toEqual(Array.from({ length: 100 }, (_, n) => `${n}`));
        expect(beta.connected).toBe(true);
      });

      test("bus: a slow consumer is cut off, loses what was kept for it, and comes back", async () => {
        const [alpha, beta] = [await bench.connect("alpha"), await bench.connect("beta")];
        const status: boolean[] = [];
        beta.onStatus((connected) => status.push(connected));
        const seen = await collect(beta, "flood");
        await bench.stall("beta");
        const chunk = new Uint8Array(512 * 1024);
        // Sockets on the way hold several megabytes before the server has to.
        for (let n = 0; n < 64; n++) {
          alpha.publish("flood", chunk);
          await alpha.flush();
        }
        await bench.resume("beta");
        await bench.waitFor("the cut", () => status[0] === false);
        await bench.waitFor("the return", () => status[1] === true);
        await beta.flush();
        expect(seen.length).toBeLessThan(64);
        alpha.publish("flood", "afterwards");
        await bench.waitFor("the rest", () => seen.some((one) => textOf(one) === "afterwards"));
      });
    }
  });
}
