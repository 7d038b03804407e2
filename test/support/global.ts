/**
 * Runs once before the suite: builds the program, and opens a door behind which one Postgres server is started when
 * the first test knocks. A run that needs none pays for a listening socket only; what was started ends with the run.
 */
import { createServer, type Socket } from 'node:net';
import type { TestProject } from 'vitest/node';
import { buildIfStale } from './build.ts';
import { type PostgresServer, startPostgres } from './postgresServer.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Port of the door on loopback: it answers `{"url": …}` or `{"error": …}`. */
    readonly postgresDoor: number;
  }
}

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  buildIfStale();
  let starting: Promise<PostgresServer> | null = null;
  const answer = async (socket: Socket): Promise<void> => {
    socket.on('error', () => undefined);
    try {
      starting ??= startPostgres();
      socket.end(JSON.stringify({ url: (await starting).url }));
    } catch (error) {
      socket.end(JSON.stringify({ error: error instanceof Error ? error.message : String(error) }));
    }
  };
  const door = createServer((socket) => void answer(socket));
  await new Promise<void>((resolve) => door.listen(0, '127.0.0.1', resolve));
  const address = door.address();
  if (address === null || typeof address === 'string') throw new Error('the door has no port');
  project.provide('postgresDoor', address.port);
  return async () => {
    door.close();
    await starting?.then(
      (server) => server.stop(),
      () => undefined,
    );
  };
}
