/**
 * The bench's API server, a process of its own: prints its URL and token, then serves until its input ends. A line with a
 * number on its input changes so many clients, spread over all.
 */
import { createInterface } from 'node:readline';
import { startSimulator } from '../src/simulator/simulator.ts';

const [clients = '1000', latencyMs = '0'] = process.argv.slice(2);
const simulator = await startSimulator({
  clients: Number(clients),
  seed: 1,
  latencyMs: Number(latencyMs),
  logMax: 0,
  cacheBytesMax: 2_000_000_000,
});
console.log(JSON.stringify({ url: simulator.url, token: simulator.token }));

const ids = simulator.source.all().map(({ id }) => id);
createInterface(process.stdin)
  .on('line', (count) => {
    const stride = Math.floor(ids.length / Number(count));
    for (let index = 0; index < Number(count); index += 1) {
      simulator.source.update(ids[index * stride] ?? '', { fax: `changed ${performance.now()}` });
    }
    console.log('changed');
  })
  .on('close', () => void simulator.close());
