import { mkdtemp, rename, rm, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTokenSource } from '../../src/api/token.ts';
import { createFakeClock } from '../support/fakeClock.ts';

let folder: string;
let file: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'token-'));
  file = join(folder, 'token');
});
afterEach(() => rm(folder, { recursive: true }));

const settingsError = (message: string) =>
  expect.objectContaining({ code: 'SETTINGS', message: expect.stringContaining(message) });

describe('createTokenSource', () => {
  it('trims white space and a Bearer in front', async () => {
    for (const text of ['abc.def', '  abc.def\n', 'Bearer abc.def', 'bearer  abc.def\r\n']) {
      expect(await createTokenSource({ token: text }).current()).toBe('abc.def');
      await writeFile(file, text);
      expect(await createTokenSource({ file }).current()).toBe('abc.def');
    }
  });

  it('refuses nothing, and what could not travel in a header, without quoting it', async () => {
    expect(() => createTokenSource({ token: ' ' })).toThrow(settingsError('CLIENTS_API_TOKEN is empty'));
    expect(() => createTokenSource({ token: 'Bearer ' })).toThrow(settingsError('is empty'));
    for (const token of ['sec ret', 'sec\nret', 'secrét']) {
      expect(() => createTokenSource({ token })).toThrow(settingsError('characters'));
      expect(() => createTokenSource({ token })).not.toThrow(/sec/);
    }
  });

  it('says what is wrong with the file', async () => {
    const source = createTokenSource({ file });
    await expect(source.current()).rejects.toEqual(settingsError(`${file}: there is no such file`));
    await writeFile(file, '\n');
    await expect(source.current()).rejects.toEqual(settingsError(`${file} is empty`));
    await expect(createTokenSource({ file: folder }).current()).rejects.toEqual(settingsError('directory'));
    await writeFile(file, 'now');
    expect(await source.current()).toBe('now');
  });

  it('sees a changed file within a second, and does not look more often', async () => {
    await writeFile(file, 'first');
    const clock = createFakeClock();
    const source = createTokenSource({ file }, clock);
    expect(await source.current()).toBe('first');
    await writeFile(`${file}.new`, 'other');
    await rename(`${file}.new`, file);
    clock.advance(999);
    expect(await source.current()).toBe('first');
    clock.advance(1);
    expect(await source.current()).toBe('other');
  });

  it('goes on looking when the clock is set back', async () => {
    await writeFile(file, 'first');
    const clock = createFakeClock();
    const source = createTokenSource({ file }, clock);
    await source.current();
    await writeFile(file, 'second');
    clock.set(clock.now() - 7_200_000);
    expect(await source.current()).toBe('second');
  });

  it('keeps the old token while the file is being renewed', async () => {
    await writeFile(file, 'first');
    const clock = createFakeClock();
    const source = createTokenSource({ file }, clock);
    await source.current();
    await writeFile(file, '');
    clock.advance(5000);
    expect(await source.current()).toBe('first');
    await unlink(file);
    clock.advance(5000);
    expect(await source.current()).toBe('first');
    expect(await source.reread()).toBe(false);
    await writeFile(file, 'second');
    clock.advance(5000);
    expect(await source.current()).toBe('second');
  });
});

describe('reread', () => {
  it('reads the file at once and says whether the token changed', async () => {
    await writeFile(file, 'first');
    const source = createTokenSource({ file }, createFakeClock());
    await source.current();
    expect(await source.reread()).toBe(false);
    await writeFile(file, 'second');
    expect(await Promise.all([source.reread(), source.reread()])).toEqual([true, true]);
    expect(await source.current()).toBe('second');
  });

  it('never changes a token given as a setting', async () => {
    expect(await createTokenSource({ token: 'abc' }).reread()).toBe(false);
  });
});
