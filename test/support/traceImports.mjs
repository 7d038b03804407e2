/**
 * Preloaded with --import: at the end of the process it prints the packages that were loaded, from node_modules or
 * from a chunk of the build that names them, so that a test can tell what starting up costs.
 */
import { readFileSync, writeSync } from 'node:fs';
import { createRequire, register } from 'node:module';
import { MessageChannel } from 'node:worker_threads';

const packages = new Set();
const PACKAGE = /node_modules\/((?:@[^/]+\/)?[^/]+)\//;
const note = (url) => {
  const name = PACKAGE.exec(url)?.[1];
  if (name !== undefined) packages.add(name);
  else if (/\/dist\/.*\.js$/.test(url)) noteBundled(readFileSync(new URL(url), 'utf8'));
};
// The bundler heads each file of a package with its path.
const noteBundled = (text) => {
  for (const [, path] of text.matchAll(/^\/\/ (.*)$/gm)) {
    const name = PACKAGE.exec(path)?.[1];
    if (name !== undefined) packages.add(name);
  }
};

const { port1, port2 } = new MessageChannel();
port1.on('message', note);
port1.unref();
const hooks = `
  let port;
  export function initialize(data) { port = data.port; }
  export async function load(url, context, next) { port.postMessage(url); return next(url, context); }`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`, {
  parentURL: import.meta.url,
  data: { port: port2 },
  transferList: [port2],
});

process.on('exit', () => {
  for (const path of Object.keys(createRequire(import.meta.url).cache)) note(path);
  writeSync(1, `\npackages: ${[...packages].join(' ')}\n`);
});
