/**
 * `.env.example` and `docs/settings.md`, drawn from the table of settings. `npm run generate` writes both; a
 * test says when they are out of date.
 */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { FIELDS } from '../src/clients/fields.ts';
import { flagOf, SETTINGS, type Setting, type SettingGroup } from './settings.ts';

const GROUPS: Readonly<Record<SettingGroup, string>> = {
  api: 'The Clients API',
  warehouse: 'The warehouse',
  mirror: 'The mirror',
  queue: 'The queue',
  worker: 'The worker',
};

const GROUP_ORDER = Object.keys(GROUPS) as readonly SettingGroup[];

/** Every setting as a comment, with its default or an example: a file to copy and uncomment. */
export function renderEnvExample(): string {
  const parts = GROUP_ORDER.map((group) => {
    const rows = rowsOf(group).map((row) => {
      const note = row.default === null ? '' : ' (this is the default)';
      return `# ${firstUpper(row.help)}${note}\n#${row.env}=${exampleOf(row)}\n`;
    });
    return `## ${GROUPS[group]}\n\n${rows.join('\n')}`;
  });
  return `# Settings of clients-mirror. Written by \`npm run generate\` from config/settings.ts: change it there.
# Copy this to .env, take the # away where you set something, and run: clients-mirror sync --config .env

${parts.join('\n')}`;
}

/** The page of the documentation. */
export function renderSettingsPage(): string {
  const parts = GROUP_ORDER.map(
    (group) => `## ${GROUPS[group]}\n\n${rowsOf(group).map(renderRow).join('\n')}`,
  );
  return `# Settings

<!-- Written by \`npm run generate\` from config/settings.ts: change it there. -->

Each setting is a variable of the environment, a \`KEY=VALUE\` line in a file given with \`--config FILE\`, or a
flag of the commands that read it. Flags win over the environment, the environment over the file. A variable that
is set to nothing counts as not set, except where it is said below what the empty text means.

A bad setting, or an unknown variable that begins with \`MIRROR_\`, ends the program with exit code 2 and one line
that names it. \`clients-mirror doctor\` checks all of them and what they lead to.

In the file, \`#\` begins a comment at the start of a line or after a space, \`export\` before a key is allowed,
values may stand in quotes ('…' as it is; in "…" \`\\n \\t \\\\ \\" \\$\` are read), and nothing is expanded. Secrets
have no flag: the command line of a process can be read by everyone on the machine.

${parts.join('\n')}
## Names of fields

\`MIRROR_EXCLUDE_FIELDS\` knows these: ${FIELDS.map((field) => `\`${field.name}\``).join(', ')}.
\`id\`, \`createdOn\` and \`updatedOn\` cannot be left out; \`email\`, \`firstName\`, \`lastName\` and \`externalId\`
only with \`MIRROR_PUSH=false\`, as a push needs them.
`;
}

function renderRow(row: Setting): string {
  const flag = flagOf(row);
  const facts = [
    `Value: ${row.kind.words}`,
    row.default === null ? 'No default' : `Default: \`${row.default}\``,
    row.empty === undefined ? null : `Empty: ${row.empty}`,
    row.default === null && row.example !== undefined ? `Example: \`${row.example}\`` : null,
    flag === null ? 'Secret: no flag' : `Flag: \`--${flag}\``,
    row.secret === 'password' ? 'May hold a password, which is never shown' : null,
  ];
  const list = facts.filter((fact) => fact !== null).map((fact) => `- ${fact}\n`);
  return `### \`${row.env}\`\n\n${firstUpper(row.help)}.\n\n${list.join('')}`;
}

function rowsOf(group: SettingGroup): readonly Setting[] {
  return SETTINGS.filter((row) => row.group === group);
}

/** Quoted where a space would end the value for a shell that reads the file. */
function exampleOf(row: Setting): string {
  const value = row.default ?? row.example ?? '';
  return /\s/.test(value) ? `"${value}"` : value;
}

function firstUpper(text: string): string {
  return text.replace(/^[a-z]/, (letter) => letter.toUpperCase());
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const root = new URL('../', import.meta.url);
  writeFileSync(new URL('.env.example', root), renderEnvExample());
  writeFileSync(new URL('docs/settings.md', root), renderSettingsPage());
}
