/**
 * A script of the bench as JavaScript, as the program itself runs: what translates while it runs costs each closure a
 * call, and would be measured too.
 */
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build, type Plugin } from 'esbuild';

const script = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** Each file knows where it was, though all are in one now. */
const whereItWas: Plugin = {
  name: 'where-it-was',
  setup({ onLoad }) {
    onLoad({ filter: /\.ts$/ }, ({ path }) => ({
      contents: readFileSync(path, 'utf8')
        .replaceAll('import.meta.url', JSON.stringify(pathToFileURL(path).href))
        .replaceAll('import.meta.dirname', JSON.stringify(dirname(path))),
      loader: 'ts',
    }));
  },
};

/** @returns the path of what it was compiled into. */
export async function compile(name: string): Promise<string> {
  const outfile = script(`../node_modules/.cache/clients-mirror-bench/${name}.mjs`);
  await build({
    entryPoints: [script(`${name}.ts`)],
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    packages: 'external',
    plugins: [whereItWas],
    logLevel: 'warning',
  });
  return outfile;
}
