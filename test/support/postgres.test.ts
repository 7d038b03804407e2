import { describe, expect, it } from 'vitest';
import { createTestDatabase } from './postgres.ts';
import { embeddedFolder, startPostgres } from './postgresServer.ts';

describe('createTestDatabase', () => {
  it('gives each caller a database of its own on a real server', async () => {
    const [one, two] = await Promise.all([createTestDatabase(), createTestDatabase()]);
    await one.run('CREATE TABLE only_here (n integer)');
    expect((await two.run("SELECT to_regclass('only_here') AS t")).rows).toEqual([{ t: null }]);
    await Promise.all([one.drop(), two.drop()]);
  });
});

describe('startPostgres', () => {
  it('runs the binaries that npm brings, and ends them', async () => {
    const server = await startPostgres(embeddedFolder());
    expect(server.url).toMatch(/^postgres:\/\/postgres@127\.0\.0\.1:\d+\/postgres$/);
    await server.stop();
  });
});
