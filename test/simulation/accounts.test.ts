import { describe, expect, it } from 'vitest';
import { BLANK_ROW } from '../../src/simulator/row.ts';
import { noneTwice } from './accounts.ts';
import { createHistory } from './history.ts';
import type { Edit } from './users.ts';

const [FIRST, SECOND] = ['00000001-0000-4000-8000-000000000000', '00000002-0000-4000-8000-000000000000'];

function born(...ids: readonly string[]) {
  const history = createHistory(() => 0);
  for (const id of ids) {
    const names = { email: 'a@example.com', firstName: 'A', lastName: 'B', externalId: 'Key' };
    const row = { ...BLANK_ROW, ...names, id, createdOn: '2026-01-01T00:00:00Z' };
    history.onChange(id, null, row);
  }
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
    expect(noneTwice({ history: born(FIRST, SECOND), edits })).toHaveLength(1);
    expect(noneTwice({ history: born(FIRST), edits })).toEqual([]);
  });

  it('knows that a new client may be given the externalId of another before it is sent', () => {
    const edits = [insert('here', 'Other'), rename('here', 'Key'), insert('there', 'Key')];
    expect(noneTwice({ history: born(FIRST, SECOND), edits })).toEqual([]);
    const renamedAtTheSource = [rename(FIRST, 'Key'), insert('there', 'Key')];
    expect(noneTwice({ history: born(FIRST, SECOND), edits: renamedAtTheSource })).toHaveLength(1);
  });
});
