/**
 * Makes every call to Docker come to an end. The client library never calls back when a connection
 * breaks in the middle of an answer, as it does when dockerd is killed: whoever waited would wait
 * for ever. So all calls have a deadline, and fail at once when the event stream shows that
 * dockerd has gone.
 */

import type Docker from "dockerode";

export interface CallGuard {
  /** Docker has gone: nobody waits for it any longer. */
  breakAll(): void;
}

type Dial = Docker["modem"]["dial"];

export function guardCalls(docker: Docker, deadlineMs?: number): CallGuard {
  const dial: Dial = docker.modem.dial.bind(docker.modem);
  const pending = new Set<(error: Error) => void>();
  docker.modem.dial = (options, callback) => {
    // A stream is its reader's: it ends with its connection.
    if (!callback || options.isStream) return dial(options, callback);
    let timer: NodeJS.Timeout | undefined;
    const settle: typeof callback = (error, result) => {
      if (!pending.delete(fail)) return;
      clearTimeout(timer);
      callback(error, result);
    };
    const fail = (error: Error): void => settle(error, null);
    pending.add(fail);
    if (deadlineMs !== undefined) {
      const late = failure("ETIMEDOUT", `no answer within ${deadlineMs / 1000} s`);
      timer = setTimeout(() => fail(late), deadlineMs);
    }
    dial(options, settle);
  };
  return {
    breakAll() {
      for (const fail of [...pending]) fail(failure("ECONNRESET", "the connection was lost"));
    },
  };
}

function failure(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}
