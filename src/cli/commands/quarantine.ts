/** `quarantine list|retry`: rows from the API that could not be mirrored. */
import { readQuarantine } from '../../ledger/quarantine.ts';
import { defineCommand } from '../command.ts';
import { plural } from '../summary.ts';

const PAGE = 200;

export const quarantineList = defineCommand({
  name: 'quarantine list',
  summary: 'the rows, each with the reason and when it came',
  needs: ['warehouse'],
  json: true,
  async run(context) {
    const { openMirror } = await import('../../app.ts');
    const warehouse = await openMirror(context);
    try {
      const rows = [];
      for (let after = ''; ; ) {
        const page = await readQuarantine(warehouse, after, PAGE);
        rows.push(...page);
        const last = page.at(-1);
        if (last === undefined) break;
        after = last.id;
      }
      const lines = rows.map((row) => `${row.id}  ${row.at.slice(0, 19)}Z  ${row.reason}`);
      context.print(rows, lines.length === 0 ? 'nothing in quarantine' : lines.join('\n'));
      return 0;
    } finally {
      await warehouse.close();
    }
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
