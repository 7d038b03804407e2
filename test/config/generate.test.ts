import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseSettingsFile } from '../../config/file.ts';
import { renderEnvExample, renderSettingsPage } from '../../config/generate.ts';
import { SETTINGS } from '../../config/settings.ts';

function read(path: string): string {
  return readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
}

describe('what `npm run generate` writes', () => {
  it('is up to date: .env.example', () => {
    expect(read('.env.example')).toBe(renderEnvExample());
  });

  it('is up to date: docs/settings.md', () => {
    expect(read('docs/settings.md')).toBe(renderSettingsPage());
  });

  it('is a file that the program itself reads, every setting in it', () => {
    const uncommented = renderEnvExample().replace(/^#([A-Z])/gm, '$1');
    const { entries, problems } = parseSettingsFile({ path: '.env', text: uncommented });
    expect(problems).toEqual([]);
    expect([...entries.keys()].sort()).toEqual(SETTINGS.map((row) => row.env).sort());
  });
});
