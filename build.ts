/**
 * Builds the program into dist/: bundled, because a command that cron starts each minute must not open two hundred
 * files first. What commands load lazily stays in chunks of its own; drivers and servers stay in node_modules.
 * Types are `tsc`'s (npm run types).
 */
import { readFileSync } from 'node:fs';
import { build } from 'esbuild';

/** Loaded by nearly every command, from many small files. */
const BUNDLED = ['axios', 'commander', 'p-retry'];

const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as {
  dependencies: Record<string, string>;
};

await build({
  entryPoints: { 'clients-mirror': 'src/cli/main.ts' },
  outdir: 'dist',
  chunkNames: 'chunks/[name]-[hash]',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  sourcemap: true,
  external: Object.keys(dependencies).filter((name) => !BUNDLED.includes(name)),
  // What is bundled of CommonJS asks for Node's own modules with require.
  banner: {
    js: "import { createRequire as nodeRequire } from 'node:module'; const require = nodeRequire(import.meta.url);",
  },
  logLevel: 'warning',
});
