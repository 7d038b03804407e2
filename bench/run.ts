/** Runs the questions that are named, or all: `npm run bench -- pull push`. Nothing else should run meanwhile. */
import { spawnSync } from 'node:child_process';
import { compile } from './compile.ts';

const ALL = ['backfill', 'latency', 'memory', 'pull', 'push', 'worker', 'reconcile', 'startup'];
const wanted = process.argv.slice(2);
const unknown = wanted.find((name) => !ALL.includes(name));
if (unknown !== undefined) {
  console.error(`the bench has no '${unknown}': it has ${ALL.join(', ')}`);
  process.exit(2);
}
for (const name of wanted.length > 0 ? wanted : ALL) {
  console.log(`\n# ${name}\n`);
  const { status } = spawnSync(process.execPath, [await compile(name)], { stdio: 'inherit' });
  if (status !== 0) process.exit(1);
}
