import { describe, expect, it } from 'vitest';
import { BLANK_ROW } from '../../src/simulator/row.ts';
import { noneTwice } from './accounts.ts';
import { createHistory } from './history.ts';
import type { Edit } from './users.ts';

const [FIRST, SECOND] = ['00000001-0000-4000-8000-000000000000', '00000002-0000-4000-8000-000000000000'];

const rowOf = (id: string) => {
  const names = { email: 'a@example.com', firstName: 'A', lastName: 'B', externalId: 'Key' };
  return { ...BLANK_ROW, ...names, id, createdOn: '2026-01-01T00:00:00Z' };
};

function born(...ids: readonly string[]) {
  let nowMs = 0;
  const history = createHistory(() => {
    nowMs += 10;
    return nowMs;
  });
  for (const id of ids) history.onChange(id, null, rowOf(id));
  return history;
}

const insert = (id: string, value: string): Edit => ({ tick: 0, id, kind: 'insert', field: '', value });
const rename = (id: string, value: string): Edit => ({
  tick: 0,
  id,
  kind: 'field',
  field: 'externalId',
  value,
});

describe('noneTwice', () => {
  it('finds a client that was created twice', () => {
    const edits = [insert('here', 'Key')];
    expect(noneTwice({ history: born(FIRST, SECOND), edits, staleMs: 0 })).toHaveLength(1);
    expect(noneTwice({ history: born(FIRST), edits, staleMs: 0 })).toEqual([]);
  });

  it('knows one that was brought back too shortly before for an answer of then to show it', () => {
    const edits = [insert('here', 'Key')];
    const history = born(FIRST);
    history.onChange(FIRST, rowOf(FIRST), null);
    history.onChange(FIRST, null, rowOf(FIRST));
    history.onChange(SECOND, null, rowOf(SECOND));
    expect(noneTwice({ history, edits, staleMs: 5 })).toHaveLength(1);
    expect(noneTwice({ history, edits, staleMs: 15 })).toEqual([]);
  });

  it('knows that a new client may be given the externalId of another before it is sent', () => {
    const edits = [insert('here', 'Other'), rename('here', 'Key'), insert('there', 'Key')];
    expect(noneTwice({ history: born(FIRST, SECOND), edits, staleMs: 0 })).toEqual([]);
    const renamedAtTheSource = [rename(FIRST, 'Key'), insert('there', 'Key')];
    expect(noneTwice({ history: born(FIRST, SECOND), edits: renamedAtTheSource, staleMs: 0 })).toHaveLength(
      1,
    );
  });
});
