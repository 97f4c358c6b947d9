import fc from "fast-check";
import { expect, test } from "vitest";
import { createMailbox } from "../../../runtime/mailbox.ts";

test("mailbox: any mix of push, take and put back behaves like a list", () => {
  const command = fc.oneof(
    { weight: 3, arbitrary: fc.constant("push" as const) },
    { weight: 2, arbitrary: fc.constant("take" as const) },
    { weight: 1, arbitrary: fc.constant("take and put back" as const) },
    { weight: 1, arbitrary: fc.constant("drain" as const) },
  );
  fc.assert(
    fc.property(fc.array(command, { maxLength: 400 }), (commands) => {
      const mailbox = createMailbox<number>();
      const list: number[] = [];
      let next = 0;
      let most = 0;
      for (const does of commands) {
        if (does === "push") {
          mailbox.push(next);
          list.push(next++);
          most = Math.max(most, list.length);
        } else if (does === "take") {
          expect(mailbox.take()?.message).toBe(list.shift());
        } else if (does === "drain") {
          while (list.length > 0) expect(mailbox.take()?.message).toBe(list.shift());
        } else {
          const envelope = mailbox.take();
          expect(envelope?.message).toBe(list[0]);
          if (envelope) mailbox.unshift({ ...envelope, crashes: envelope.crashes + 1 });
        }
        expect(mailbox.size).toBe(list.length);
      }
      expect(mailbox.highWater).toBe(most);
      expect(mailbox.clear()).toBe(list.length);
      expect(mailbox.take()).toBeUndefined();
    }),
  );
});

test("mailbox: a reader that waits is woken by a message, at once when there is one", async () => {
  const mailbox = createMailbox<string>();
  let woken = 0;
  const waiting = mailbox.wait().then(() => woken++);
  await Promise.resolve();
  expect(woken).toBe(0);
  mailbox.push("a");
  await waiting;
  await mailbox.wait();
  expect(mailbox.take()).toEqual({ message: "a", crashes: 0 });
});
