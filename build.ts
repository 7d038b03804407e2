/**
 * Builds the program into dist/: one file, because a command that cron starts each minute must not open two hundred
 * first. It is CommonJS, in which even one file runs nothing of what the command at hand does not load. SQLite's
 * binary, queue and servers stay in node_modules. Types are `tsc`'s (npm run types).
 */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { build, type Plugin } from 'esbuild';
import { startSimulator } from './src/simulator/simulator.ts';

/** Loaded by nearly every command, from many small files. */
const BUNDLED = ['axios', 'better-sqlite3', 'commander', 'p-retry', 'pg', 'pino'];

/** What axios loads and we never use: HTTP/2, the ways of browsers to send, and forms, with a table of all file types. */
const UNUSED = /^(?:http2|form-data)$|\/(?:fetch|xhr)\.js$/;

const withoutUnusedAxios: Plugin = {
  name: 'without-unused-axios',
  setup({ onResolve, onLoad }) {
    const namespace = 'unused';
    onResolve({ filter: UNUSED }, ({ path, importer }) =>
      importer.includes('node_modules/axios/') ? { path, namespace } : undefined,
    );
    onLoad({ filter: /.*/, namespace }, () => ({
      contents: 'export default null; export const getFetch = null;',
    }));
  },
};

/** Lines that the bundle has otherwise. One whose pattern no longer fits fails the build. */
const LINES: readonly (readonly [file: RegExp, line: RegExp, instead: string])[] = [
  // Node 20 makes FormData by starting its whole fetch, which takes as long as Node itself. We send none.
  [/node_modules\/axios\/lib\/utils\.js$/, /^const FormDataCtor = .*$/m, 'const FormDataCtor = undefined;'],
  // For subcommands that are programs of their own, of which there are none: a tenth of Node's own time to start.
  [
    /node_modules\/commander\/lib\/command\.js$/,
    /^const childProcess = require\('node:child_process'\);$/m,
    'const childProcess = undefined;',
  ],
  // `bindings` looks for the binary from the file that asks, in a dozen places; this is where npm puts it.
  [
    /node_modules\/better-sqlite3\/lib\/database\.js$/,
    /require\('bindings'\)\('better_sqlite3\.node'\)/,
    "require('better-sqlite3/build/Release/better_sqlite3.node')",
  ],
  // The bundler follows CommonJS' own require alone.
  [/src\/observe\/log\.ts$/, /^const require = createRequire.*$/m, ''],
];

const withLines: Plugin = {
  name: 'with-lines',
  setup({ onLoad }) {
    for (const [filter, line, instead] of LINES) {
      onLoad({ filter }, ({ path }) => {
        const text = readFileSync(path, 'utf8');
        if (!line.test(text)) throw new Error(`build.ts knows another ${path}: ${line} is not in it`);
        return { contents: text.replace(line, instead), loader: path.endsWith('.ts') ? 'ts' : 'js' };
      });
    }
  },
};

const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as {
  dependencies: Record<string, string>;
};

mkdirSync('dist', { recursive: true });
// First of all: what was compiled of another text must never meet this one.
for (const name of readdirSync('dist')) if (name.startsWith('program.js.v')) rmSync(`dist/${name}`);

await build({
  entryPoints: { 'clients-mirror': 'src/cli/start.ts', program: 'src/cli/main.ts' },
  outdir: 'dist',
  bundle: true,
  format: 'cjs',
  platform: 'node',
  target: 'node20',
  // What stays in node_modules is required too: a script that V8 is given, as start.ts does, has no import of its own.
  supported: { 'dynamic-import': false },
  sourcemap: true,
  external: [...Object.keys(dependencies).filter((name) => !BUNDLED.includes(name)), 'pg-native', '*.node'],
  plugins: [withoutUnusedAxios, withLines],
  define: {
    'import.meta.url': 'importMetaUrl',
    // pg asks whether it runs at Cloudflare; where Node has no navigator, by a Response, which starts fetch too.
    'navigator.userAgent': '"Node.js"',
    navigator: '{ "userAgent": "Node.js" }',
  },
  banner: { js: "const importMetaUrl = require('node:url').pathToFileURL(__filename).href;" },
  logLevel: 'warning',
});
// start.ts reads a letter a byte. esbuild writes most of it so; what is left stands in comments, and means the same.
const asEscape = (letter: string) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`;
const bundle = readFileSync('dist/program.js', 'utf8');
writeFileSync('dist/program.js', bundle.replace(/[^\0-\x7f]/g, asEscape));
// The package itself is of ES modules.
writeFileSync('dist/package.json', '{ "type": "commonjs" }\n');
await keepCompiled();

/**
 * Keeps beside the program what V8 compiles for a sync: a first one, one that finds nothing to do, and as much of one
 * into Postgres as needs no Postgres. See start.ts.
 */
async function keepCompiled(): Promise<void> {
  const simulator = await startSimulator({ clients: 10, seed: 1 });
  const folder = mkdtempSync(join(tmpdir(), 'clients-mirror-build-'));
  const sync = (warehouseUrl: string) =>
    promisify(execFile)(process.execPath, ['dist/clients-mirror.js', 'sync'], {
      env: {
        CLIENTS_API_URL: simulator.url,
        CLIENTS_API_TOKEN: simulator.token,
        WAREHOUSE_URL: warehouseUrl,
        CLIENTS_MIRROR_BUILD_COMPILED: '1',
      },
    });
  const file = `sqlite:${join(folder, 'clients.db')}`;
  try {
    await sync(file);
    await sync(file);
    await sync('postgres://127.0.0.1:1/nobody').catch(() => undefined);
  } finally {
    await simulator.close();
    rmSync(folder, { recursive: true });
  }
}
