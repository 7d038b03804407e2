/**
 * `api …`: one direct call of each endpoint of the Clients API. What the API answers is printed as it came:
 * these commands mirror nothing and leave nothing out.
 */
import { int, text, uuid } from '../../../config/kinds.ts';
import type { Body, CallOptions, ClientsApi } from '../../api/api.ts';
import { isSyncError, SyncError } from '../../errors.ts';
import { readBody } from '../body.ts';
import { type Command, type CommandContext, defineCommand, type ExitCode } from '../command.ts';

const SKIP_MAX = 2 ** 31 - 1;

const ID = { id: { help: 'id of the client', required: true } } as const;

const DATA = {
  data: { help: 'the body: JSON, @FILE, or - for standard input', kind: text, value: 'JSON|@FILE|-' },
} as const;

/** One direct call is one request: whoever made it by hand sees at once what came of it. */
function once({ signal }: CommandContext): CallOptions {
  return { signal, retry: false };
}

export const apiList: Command = defineCommand({
  name: 'api list',
  summary: 'GET /clients: prints the rows of one page',
  description: `Prints a JSON array. Example:
  clients-mirror api list --filter "updatedOn ge 2026-01-01T00:00:00Z" --orderby updatedOn,id --top 10`,
  options: {
    ownerId: { help: "one owner's clients", kind: uuid },
    searchText: { help: 'free text that the API searches for', kind: text },
    filter: { help: '$filter, an OData expression', kind: text, value: 'EXPRESSION' },
    select: { help: '$select, names of fields separated by commas', kind: text, value: 'FIELDS' },
    orderby: { help: '$orderby, e.g. updatedOn desc,id', kind: text, value: 'FIELDS' },
    skip: { help: '$skip, rows to leave out', kind: int(0, SKIP_MAX) },
    top: { help: '$top, rows to answer (the API answers 50 by itself)', kind: int(0, SKIP_MAX) },
  },
  needs: ['api'],
  json: true,
  async run(context, { flags }) {
    const { select, ...query } = flags;
    const given = Object.entries(query).filter(([, value]) => value !== undefined);
    const fields = select?.split(',').map((name) => name.trim());
    return await withApi(context, async (api) => {
      const answer = await api.list(
        { ...Object.fromEntries(given), ...(fields === undefined ? {} : { select: fields }) },
        once(context),
      );
      if (answer.nextLink !== null) context.log.info(`there is more: ${answer.nextLink}`);
      context.print(answer.rows, show(answer.rows));
    });
  },
});

export const apiGet: Command = defineCommand({
  name: 'api get',
  summary: 'GET /clients/ID: prints one client',
  arguments: ID,
  needs: ['api'],
  json: true,
  async run(context, { args }) {
    return await withApi(context, async (api) => {
      const answer = await api.get(args.id, once(context));
      if (!answer.found) throw new SyncError('GONE', `the API has no client ${args.id}`);
      context.print(answer.row, show(answer.row));
    });
  },
});

export const apiCreate: Command = defineCommand({
  name: 'api create',
  summary: 'POST /clients: creates a client, prints the audit record',
  description: 'The body must carry email, firstName and lastName.',
  options: DATA,
  needs: ['api'],
  json: true,
  async run(context, { flags }) {
    const body = await readBody(flags.data, context.readStdin);
    return await withWrite(context, (api) => api.create(body, once(context)));
  },
});

export const apiReplace: Command = writeTo('replace', 'PUT', 'replaces a client');
export const apiUpdate: Command = writeTo('update', 'PATCH', 'changes the fields given of a client');

export const apiDelete: Command = defineCommand({
  name: 'api delete',
  summary: 'DELETE /clients/ID, or with --all DELETE /clients',
  description:
    'The reference says that the API answers 405 (not supported) to --all; it is here to be complete.',
  arguments: { id: { help: 'id of the client', required: false } },
  options: { all: { help: 'call DELETE /clients instead, which names no client' } },
  needs: ['api'],
  json: true,
  async run(context, { args, flags }) {
    const { id } = args;
    if (flags.all === (id !== undefined)) {
      throw new SyncError('USAGE', 'api delete needs either the id of a client or --all', { hint: '' });
    }
    return await withApi(context, async (api) => {
      const call = id === undefined ? api.deleteAll(once(context)) : api.delete(id, once(context));
      await call.catch(tellWords);
      context.print({ deleted: id ?? 'all' }, id === undefined ? 'deleted all clients' : `deleted ${id}`);
    });
  },
});

function writeTo(verb: 'replace' | 'update', method: string, what: string): Command {
  return defineCommand({
    name: `api ${verb}`,
    summary: `${method} /clients/ID: ${what}, prints the audit record`,
    description: 'The body must carry email, firstName and lastName.',
    arguments: ID,
    options: DATA,
    needs: ['api'],
    json: true,
    async run(context, { args, flags }) {
      const body: Body = await readBody(flags.data, context.readStdin);
      return await withWrite(context, (api) => api[verb](args.id, body, once(context)));
    },
  });
}

async function withWrite(
  context: CommandContext,
  call: (api: ClientsApi) => Promise<unknown>,
): Promise<ExitCode> {
  return await withApi(context, async (api) => {
    const record = await call(api).catch(tellWords);
    context.print(record, show(record));
  });
}

/** Who wrote by hand is to see what the server says of it. */
function tellWords(error: unknown): never {
  if (!isSyncError(error) || error.details.body === undefined) throw error;
  throw new SyncError(error.code, `${error.message}: ${error.details.body}`, error.details, error);
}

async function withApi(context: CommandContext, use: (api: ClientsApi) => Promise<void>): Promise<ExitCode> {
  const { openApi } = await import('../../app.ts');
  const api = openApi(context);
  try {
    await use(api);
    return 0;
  } finally {
    api.close();
  }
}

function show(value: unknown): string {
  return JSON.stringify(value, null, 2);
}
