#!/usr/bin/env node
/**
 * The executable: starts main.ts from the form that V8 compiled when the program was built, for a command of a moment
 * spends a third of its time compiling. Where another Node runs it, or V8 does not like it, it is compiled as usual.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import Module, { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Script } from 'node:vm';

const file = fileURLToPath(new URL('program.js', import.meta.url));
// V8 looks at its own version and the length of the source; that the rest is right is the name's affair, and the build's.
const compiled = `${file}.${process.version}-${process.arch}`;
const load = createRequire(file);

// Only of a file that it loads itself does Node follow the source map.
if (process.sourceMapsEnabled) load(file);
else start();

function start(): void {
  // The bundle is ASCII, and read as such it takes half the memory.
  const source = Module.wrap(readFileSync(file, 'latin1'));
  // A stack trace has the name that stands in the compiled form, where the folder would be the build's.
  const script = new Script(source, { filename: 'program.js', cachedData: readCompiled() });
  // The build's own way to make it: what a run has used is kept.
  if (process.env.CLIENTS_MIRROR_BUILD_COMPILED === '1') {
    process.once('exit', () => writeFileSync(compiled, script.createCachedData()));
  }
  const own = { exports: {} };
  script.runInThisContext()(own.exports, load, own, file, dirname(file));
}

function readCompiled(): Buffer | undefined {
  try {
    return readFileSync(compiled);
  } catch {
    return undefined;
  }
}
