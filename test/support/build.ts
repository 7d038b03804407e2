/** Builds the program where the build is older than its sources, so that no test ever sees an old one. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const BUILT = join(ROOT, 'dist/clients-mirror.js');

export function buildIfStale(): void {
  if (existsSync(BUILT) && statSync(BUILT).mtimeMs > newest()) return;
  execFileSync(process.execPath, ['--import', 'tsx', 'build.ts'], { cwd: ROOT, stdio: 'inherit' });
}

function newest(): number {
  const files = ['src', 'config', 'jobs'].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name)),
  );
  return Math.max(
    ...[...files, join(ROOT, 'build.ts'), join(ROOT, 'package.json')].map((file) => statSync(file).mtimeMs),
  );
}
