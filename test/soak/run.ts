/**
 * Plays rounds of the whole-program simulation until the time is over, and ends with one line of totals:
 * `npm run simulate:soak -- --minutes 20 --seed 1 [--engine sqlite|postgres] [--round N]`.
 *
 * Each round has a seed of its own, made from the seed and its number, so that `--round N` plays that one alone. What
 * happened in a round with findings stands in a file that is named.
 */
import { copyFileSync, cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { mix } from '../../src/simulator/random.ts';
import { type Places, startPlaces } from '../simulation/places.ts';
import { buildIfStale } from '../support/build.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { playRound } from './round.ts';
import type { Size } from './world.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const SIZE: Size = {
  steps: [30, 90],
  spells: 2,
  clients: [20, 400],
  lookbackSeconds: 4,
  restCycles: 10,
  processes: 3,
  longStops: true,
};

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '20' },
    seed: { type: 'string', default: '1' },
    engine: { type: 'string', default: 'sqlite' },
    round: { type: 'string' },
  },
});
const [minutes, seed, only] = [Number(values.minutes), Number(values.seed), Number(values.round ?? 0)];
const { engine } = values;
if (
  !(minutes > 0) ||
  !Number.isInteger(seed) ||
  !Number.isInteger(only) ||
  (engine !== 'sqlite' && engine !== 'postgres')
) {
  process.stderr.write('usage: --minutes N --seed S [--engine sqlite|postgres] [--round N]\n');
  process.exit(2);
}
// Whatever ends it, the exit's listeners end the children and remove what lies about.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
process.exit(await soak());

async function soak(): Promise<number> {
  const folder = copyProgram();
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const program = join(folder, 'dist/clients-mirror.js');
  const places = await startPlaces(engine as 'sqlite' | 'postgres');
  const redis = await startRedis();
  const totals: Record<string, number> = {};
  const untilMs = Date.now() + minutes * 60_000;
  let [rounds, failed] = [0, 0];
  try {
    for (let round = only || 1; rounds === 0 || (only === 0 && Date.now() < untilMs); round += 1) {
      rounds += 1;
      const { findings, counts } = await playOne(round, { places, redis, program });
      for (const [name, n] of Object.entries(counts)) totals[name] = (totals[name] ?? 0) + n;
      if (findings.length > 0) failed += 1;
    }
  } finally {
    await redis.close();
    await places.stop();
  }
  const sorted = Object.fromEntries(Object.entries(totals).sort(([a], [b]) => (a < b ? -1 : 1)));
  process.stdout.write(
    `${engine}: seed ${seed}, ${minutes} minutes, ${rounds} rounds, ${failed} with findings, ${JSON.stringify(sorted)}\n`,
  );
  return failed === 0 ? 0 : 1;
}

interface Services {
  readonly places: Places;
  readonly redis: TestRedis;
  readonly program: string;
}

async function playOne(round: number, { places, redis, program }: Services): ReturnType<typeof playRound> {
  const lines: string[] = [];
  const place = await places.make();
  const leave = () => void place.close();
  process.once('exit', leave);
  const beganMs = Date.now();
  try {
    const trace = (line: string) => void lines.push(line);
    const outcome = await playRound({ seed: mix(seed, round), place, redis, program, size: SIZE, trace });
    const seconds = ((Date.now() - beganMs) / 1000).toFixed(0);
    const memory = Math.round(process.memoryUsage().rss / 1_048_576);
    process.stderr.write(`round ${round}: ${outcome.findings.length} findings, ${seconds} s, ${memory} MB\n`);
    for (const finding of outcome.findings)
      process.stdout.write(`round ${round}: ${finding.slice(0, 2_000)}\n`);
    if (outcome.findings.length > 0) tell(round, lines);
    return outcome;
  } finally {
    process.off('exit', leave);
    await redis.client.flushall();
    await place.close();
  }
}

function tell(round: number, lines: readonly string[]): void {
  const path = join(tmpdir(), `clients-mirror-soak-${engine}-${seed}-${round}.log`);
  writeFileSync(path, `${lines.join('\n')}\n`);
  process.stdout.write(
    `round ${round}: what happened stands in ${path}; --seed ${seed} --round ${round} plays it again\n`,
  );
}

/** A copy of the build, so that nobody who builds meanwhile changes the program under it. */
function copyProgram(): string {
  buildIfStale();
  const folder = mkdtempSync(join(ROOT, 'node_modules/.clients-mirror-soak-'));
  cpSync(join(ROOT, 'dist'), join(folder, 'dist'), { recursive: true });
  copyFileSync(join(ROOT, 'package.json'), join(folder, 'package.json'));
  return folder;
}
