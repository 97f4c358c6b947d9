/** Structured logging. Only this file touches stdout; see ARCHITECTURE.md for the house rules of levels. */

import pino from "pino";

export interface Log {
  error(message: string, fields?: object): void;
  warn(message: string, fields?: object): void;
  info(message: string, fields?: object): void;
  debug(message: string, fields?: object): void;
  trace(message: string, fields?: object): void;
  child(fields: object): Log;
}

export type LogLevel = "error" | "warn" | "info" | "debug" | "trace" | "silent";

export function createLog(options: { level?: LogLevel; destination?: string } = {}): Log {
  const logger = pino(
    {
      level: options.level ?? "info",
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      // As JSON an Error is empty.
      serializers: { error: (error) => (error instanceof Error ? error.stack : error) },
    },
    pino.destination({ dest: options.destination ?? 2, sync: false }),
  );
  return wrap(logger);
}

function wrap(logger: pino.Logger): Log {
  return {
    error: (message, fields) => logger.error(fields ?? {}, message),
    warn: (message, fields) => logger.warn(fields ?? {}, message),
    info: (message, fields) => logger.info(fields ?? {}, message),
    debug: (message, fields) => logger.debug(fields ?? {}, message),
    trace: (message, fields) => logger.trace(fields ?? {}, message),
    child: (fields) => wrap(logger.child(fields)),
  };
}
