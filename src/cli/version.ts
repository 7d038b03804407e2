/** The version, from package.json: the nearest one above this file, which is ours from source and from dist. */
import { existsSync, readFileSync } from 'node:fs';

export function readVersion(): string {
  for (const up of ['..', '../..']) {
    const file = new URL(`${up}/package.json`, import.meta.url);
    if (existsSync(file)) return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
  }
  return 'unknown';
}
