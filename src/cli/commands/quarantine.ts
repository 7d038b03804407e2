/** `quarantine list|retry`: rows from the API that could not be mirrored. */
import { readQuarantine } from '../../ledger/quarantine.ts';
import { defineCommand } from '../command.ts';
import { readAll, withMirror } from '../mirror.ts';
import { plural } from '../summary.ts';
import { showTime } from '../values.ts';

const PAGE = 200;

export const quarantineList = defineCommand({
  name: 'quarantine list',
  summary: 'the rows, each with the reason and when it came',
  needs: ['warehouse'],
  json: true,
  async run(context) {
    const rows = await withMirror(context, (warehouse) =>
      readAll((after) => readQuarantine(warehouse, after ?? '', PAGE)),
    );
    const lines = rows.map((row) => `${row.id}  ${showTime(row.at)}  ${row.reason}`);
    context.print(rows, lines.length === 0 ? 'nothing in quarantine' : lines.join('\n'));
    return 0;
  },
});

export const quarantineRetry = defineCommand({
  name: 'quarantine retry',
  summary: 'read the rows again; those that fit by now leave quarantine',
  needs: ['api', 'warehouse', 'mirror'],
  json: true,
  async run(context) {
    const { withEngine } = await import('../../app.ts');
    const { retryQuarantine } = await import('../../rows/quarantine.ts');
    const result = await withEngine(context, retryQuarantine);
    const text = `${plural(result.mirrored, 'row')} mirrored, ${plural(result.kept, 'row')} still in quarantine`;
    context.print(result, result.mirrored + result.kept === 0 ? 'nothing in quarantine' : text);
    return 0;
  },
});
