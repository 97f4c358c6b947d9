/** Logs, exec and attach over Docker's connections, with the back-pressure of an async iterator. */

import type { Duplex, Readable } from "node:stream";
import type Docker from "dockerode";
import type {
  AttachOptions,
  ExecOptions,
  ExecSession,
  LogChunk,
  LogOptions,
  LogStream,
} from "../../engine.ts";
import { call, toEngineError } from "./errors.ts";

const frameHeaderBytes = 8;

/**
 * Docker puts stdout and stderr of a container without tty into frames: one byte for the stream,
 * three of nothing, four for the length. Long frames are handed on piece by piece.
 */
export async function* demultiplex(source: AsyncIterable<Uint8Array>): AsyncGenerator<LogChunk> {
  let header = Buffer.alloc(0);
  let stream: LogChunk["stream"] = "stdout";
  let missing = 0;
  for await (const chunk of source) {
    let rest = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    while (rest.length > 0) {
      if (missing === 0) {
        const taken = frameHeaderBytes - header.length;
        header = Buffer.concat([header, rest.subarray(0, taken)]);
        rest = rest.subarray(taken);
        if (header.length < frameHeaderBytes) break;
        stream = header[0] === 2 ? "stderr" : "stdout";
        missing = header.readUInt32BE(4);
        header = Buffer.alloc(0);
        continue;
      }
      const data = rest.subarray(0, missing);
      rest = rest.subarray(data.length);
      missing -= data.length;
      yield { stream, data };
    }
  }
}

async function* unframed(source: AsyncIterable<Uint8Array>): AsyncGenerator<LogChunk> {
  for await (const data of source) yield { stream: "stdout", data };
}

/** A connection that we closed ourselves ends; any other failure is the reader's to know. */
async function* untilClosed(
  source: Readable,
  tty: boolean,
  isClosed: () => boolean,
): AsyncGenerator<LogChunk> {
  try {
    yield* tty ? unframed(source) : demultiplex(source);
  } catch (error) {
    if (!isClosed()) throw toEngineError(error);
  }
}

export async function openLogs(
  docker: Docker,
  id: string,
  tty: boolean,
  options: LogOptions,
): Promise<LogStream> {
  // The library reads a log that is not followed into memory whole, hence the call underneath it.
  const source = await call(() =>
    dialStream(docker, `/containers/${id}/logs?`, {
      stdout: true,
      stderr: true,
      follow: options.follow,
      timestamps: options.timestamps,
      tail: options.tailLines === undefined ? "all" : String(options.tailLines),
      ...(options.sinceMs ? { since: (options.sinceMs / 1000).toFixed(9) } : {}),
    }),
  );
  let closed = false;
  const chunks = untilClosed(source, tty, () => closed);
  return {
    [Symbol.asyncIterator]: () => chunks,
    close() {
      closed = true;
      source.destroy();
    },
  };
}

function dialStream(docker: Docker, path: string, options: object): Promise<Readable> {
  return new Promise((resolve, reject) => {
    const request = {
      path,
      method: "GET",
      isStream: true,
      statusCodes: { 200: true, 404: "no such container", 500: "server error" },
      options,
    };
    docker.modem.dial(request, (error: unknown, stream: unknown) => {
      if (error) reject(error);
      else resolve(stream as Readable);
    });
  });
}

export async function openExec(
  docker: Docker,
  id: string,
  options: ExecOptions,
): Promise<ExecSession> {
  const exec = await call(() =>
    docker.getContainer(id).exec({
      Cmd: options.command,
      AttachStdin: options.stdin,
      AttachStdout: true,
      AttachStderr: !options.tty,
      Tty: options.tty,
    }),
  );
  const socket = await call(() => exec.start({ hijack: true, stdin: true, Tty: options.tty }));
  return session(socket, options, {
    resize: async (columns, rows) => {
      await exec.resize({ w: columns, h: rows });
    },
    exitCode: async () => {
      // The output's end may overtake the news of the exit by some milliseconds.
      for (let attempt = 0; attempt < 50; attempt++) {
        const state = await call(() => exec.inspect());
        if (!state.Running) return state.ExitCode ?? 0;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      throw toEngineError(new Error(`exec ${exec.id} closed its output and did not end`));
    },
  });
}

export async function openAttach(
  docker: Docker,
  id: string,
  options: AttachOptions,
): Promise<ExecSession> {
  const container = docker.getContainer(id);
  const socket = await call(() =>
    container.attach({
      stream: true,
      hijack: true,
      stdin: options.stdin,
      stdout: true,
      stderr: true,
    }),
  );
  return session(socket as Duplex, options, {
    resize: async (columns, rows) => {
      await container.resize({ w: columns, h: rows });
    },
    exitCode: async () => (await call(() => container.wait())).StatusCode,
  });
}

function session(
  socket: Duplex,
  options: { stdin: boolean; tty: boolean },
  process: Pick<ExecSession, "resize" | "exitCode">,
): ExecSession {
  let closed = false;
  // Without a listener a reset of the connection would end the whole process.
  socket.on("error", () => {});
  if (!options.stdin) socket.end();
  return {
    output: untilClosed(socket, options.tty, () => closed),
    write: (data) =>
      new Promise((resolve, reject) => {
        socket.write(data, (error) => (error ? reject(toEngineError(error)) : resolve()));
      }),
    endInput: () => {
      socket.end();
    },
    resize: (columns, rows) => call(() => process.resize(columns, rows)),
    exitCode: () => process.exitCode(),
    close() {
      closed = true;
      socket.destroy();
    },
  };
}
