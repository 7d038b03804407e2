/**
 * The log of a command, on stderr: text for people, pino's JSON lines for machines. Every line is redacted
 * here, at the one door that all of them pass. pino is loaded at the first line that is really written, so that
 * a command with nothing to say does not pay for it.
 */
import { createRequire } from 'node:module';
import type pino from 'pino';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
export const LOG_FORMATS = ['text', 'json'] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

type Write = (message: string, fields?: Readonly<Record<string, unknown>>) => void;

export interface Log {
  readonly debug: Write;
  readonly info: Write;
  readonly warn: Write;
  readonly error: Write;
}

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** Colours for people; only on a terminal. */
  readonly colour: boolean;
  /** Takes secrets out of a line. */
  readonly redact: (line: string) => string;
  /** Gets whole lines, newline included. */
  readonly write: (line: string) => void;
}

export function createLog(options: LogOptions): Log {
  let logger: pino.Logger | undefined;
  const threshold = LOG_LEVELS.indexOf(options.level);
  const writer =
    (level: Exclude<LogLevel, 'silent'>): Write =>
    (message, fields = {}) => {
      if (LOG_LEVELS.indexOf(level) < threshold) return;
      logger ??= createPino(options);
      logger[level](fields, message);
    };
  return { debug: writer('debug'), info: writer('info'), warn: writer('warn'), error: writer('error') };
}

const require = createRequire(import.meta.url);

function createPino(options: LogOptions): pino.Logger {
  const load = require('pino') as typeof pino;
  const toText = options.format === 'json' ? (line: string) => line : createTextLine(options.colour);
  // Redacted after rendering, so that no field, whatever its name, is a way round it.
  const destination = { write: (line: string) => options.write(options.redact(toText(line))) };
  return load({ level: options.level, base: null, timestamp: load.stdTimeFunctions.isoTime }, destination);
}

/** pino's line → a line for people: pino-pretty with colours on a terminal, plain in a pipe. */
function createTextLine(colour: boolean): (line: string) => string {
  if (!colour) return plainLine;
  const { prettyFactory } = require('pino-pretty') as typeof import('pino-pretty');
  const pretty = prettyFactory({ colorize: true, singleLine: true, translateTime: 'SYS:HH:MM:ss' });
  return (line) => pretty(line);
}

const LEVEL_NAMES: Readonly<Record<number, string>> = { 20: 'debug', 30: 'info', 40: 'warn', 50: 'error' };

function plainLine(line: string): string {
  const { level, time, msg, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const rest = Object.entries(fields).map(
    ([name, value]) => ` ${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  return `${String(time)} ${(LEVEL_NAMES[Number(level)] ?? 'info').padEnd(5)} ${String(msg)}${rest.join('')}\n`;
}
