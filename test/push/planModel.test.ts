import { describe, expect, it } from 'vitest';
import { explore, type Server } from './model.ts';

const SERVERS: readonly Server[] = [
  'plain',
  'lowercasing',
  'ignoring',
  'ignoring and stamping',
  'refusing B',
];

describe('one field, every interleaving', () => {
  for (const policy of ['remote', 'local', 'manual'] as const) {
    for (const server of SERVERS) {
      it(`loses nothing and comes to rest: ${server} source, policy ${policy}`, () => {
        const started = Date.now();
        const outcome = explore({
          server,
          policy,
          budgets: { edits: 2, writes: 1, mishaps: 1 },
          lags: false,
        });
        console.log(server, policy, outcome.states, Date.now() - started);
        expect(outcome).toMatchObject({ trace: [], violation: null });
      });
    }
  }
});
