/** `push`: the second half of `sync`, and a look at what it would send. */
import { defineCommand } from '../command.ts';
import { plural, printSummary } from '../summary.ts';

export const pushCommand = defineCommand({
  name: 'push',
  summary: 'carry local edits to the source',
  description: `An edit is plain SQL on the table clients, from any tool. What the source refuses stands in \`edits list\`, what it has changed as well in \`conflicts list\`.`,
  options: {
    dryRun: { help: 'print the requests that would be sent, and send none' },
    allowMassEdit: { help: 'send even what would change or delete a large part of all clients' },
  },
  needs: ['api', 'warehouse', 'mirror'],
  json: true,
  async run(context, { flags }) {
    const { withEngine } = await import('../../app.ts');
    if (!flags.dryRun) {
      const { runPush } = await import('../../sync.ts');
      const choice = { allowMassEdit: flags.allowMassEdit };
      printSummary(context, 'push', await withEngine(context, (engine) => runPush(engine, choice)));
      return 0;
    }
    const { planRequests } = await import('../../push/dryRun.ts');
    const requests = await withEngine(context, async (engine) => {
      const found = [];
      for await (const request of planRequests(engine)) found.push(request);
      return found;
    });
    const lines = requests.map(({ method, path, body }) =>
      body === null ? `${method} ${path}` : `${method} ${path} ${JSON.stringify(body)}`,
    );
    const text = [...lines, `${plural(requests.length, 'request')} would be sent`].join('\n');
    context.print(requests, text);
    return 0;
  },
});
