/** The bench's API server, a process of its own: prints its URL and token, then serves until its input ends. */
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
process.stdin.resume().on('end', () => void simulator.close());
