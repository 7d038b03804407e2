/**
 * Plays many lives of a mirror, one a seed, and tells what was found:
 * `npm run simulate:edits -- --seeds 1000 [--first N] [--engine sqlite|postgres] [--trace | --traces FOLDER]`.
 * With FOLDER the trace of each life with findings is kept there: real sockets never play quite the same again.
 * Postgres: POSTGRES_TEST_URL where it is set, else a server of its own.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Outcome, playSeed } from './edits.ts';
import { type Place, startPlaces } from './places.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    first: { type: 'string', default: '1' },
    engine: { type: 'string', default: 'sqlite' },
    trace: { type: 'boolean', default: false },
    traces: { type: 'string' },
  },
});
const [count, first] = [Number(values.seeds), Number(values.first)];
if (!Number.isInteger(count) || !Number.isInteger(first) || !['sqlite', 'postgres'].includes(values.engine)) {
  process.stderr.write(
    'usage: --seeds N [--first N] [--engine sqlite|postgres] [--trace | --traces FOLDER]\n',
  );
  process.exit(2);
}

const places = await startPlaces(values.engine === 'sqlite' ? 'sqlite' : 'postgres');
const COUNTED = [
  'edits',
  'remoteChanges',
  'requests',
  'faults',
  'crashes',
  'runs',
  'certificates',
  'checked',
  'tombstones',
] as const;
const counters = Object.fromEntries(COUNTED.map((name) => [name, 0])) as Record<
  (typeof COUNTED)[number],
  number
>;
const totals = { seeds: 0, ...counters, findings: 0 };
const beganMs = performance.now();
for (let seed = first; seed < first + count; seed += 1) {
  const outcome = await playOne(seed);
  totals.seeds += 1;
  for (const name of COUNTED) totals[name] += outcome[name];
  totals.findings += outcome.findings.length === 0 ? 0 : 1;
  for (const finding of outcome.findings)
    process.stdout.write(`seed ${seed} (${outcome.policy}): ${finding}\n`);
  if (totals.seeds % 100 === 0)
    process.stderr.write(`${totals.seeds} seeds, ${totals.findings} with findings\n`);
}
await places.stop();
const seconds = ((performance.now() - beganMs) / 1000).toFixed(0);
process.stdout.write(`${values.engine}: ${JSON.stringify(totals)} in ${seconds} s\n`);
process.exit(totals.findings === 0 ? 0 : 1);

async function playOne(seed: number): Promise<Outcome> {
  const place: Place = await places.make();
  const lines: string[] = [];
  const { trace, traces } = values;
  const hear = (line: string) => {
    if (trace) process.stdout.write(`${line}\n`);
    if (traces !== undefined) lines.push(line);
  };
  try {
    const outcome = await playSeed(seed, place, hear);
    if (traces !== undefined && outcome.findings.length > 0) {
      mkdirSync(traces, { recursive: true });
      const all = [...lines, ...outcome.findings, ''].join('\n');
      writeFileSync(join(traces, `${values.engine}-${seed}.txt`), all);
    }
    return outcome;
  } catch (error) {
    process.stdout.write(`seed ${seed} could not be played\n`);
    throw error;
  } finally {
    await place.close();
  }
}
