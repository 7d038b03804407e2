/**
 * Preloaded with --import: at the end of the process it prints the packages that were loaded, from node_modules or
 * from within the build, so that a test can tell what starting up costs.
 */
import { writeSync } from 'node:fs';
import { Session } from 'node:inspector';
import { createRequire, register } from 'node:module';
import { MessageChannel } from 'node:worker_threads';

const packages = new Set();
const PACKAGE = /node_modules\/((?:@[^/]+\/)?[^/]+)\//;
const note = (url) => {
  const name = PACKAGE.exec(url)?.[1];
  if (name !== undefined) packages.add(name);
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

// The bundler makes a function of each file, which runs when the file is loaded and is named by its path.
const session = new Session();
session.connect();
session.post('Profiler.enable');
session.post('Profiler.startPreciseCoverage', { callCount: true });

process.on('exit', () => {
  session.post('Profiler.takePreciseCoverage', (_, { result }) => {
    for (const { functionName, ranges } of result.flatMap(({ functions }) => functions)) {
      if (ranges[0].count > 0) note(functionName);
    }
  });
  for (const path of Object.keys(createRequire(import.meta.url).cache)) note(path);
  writeSync(1, `\npackages: ${[...packages].join(' ')}\n`);
});
