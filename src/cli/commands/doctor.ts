/** `doctor`: looks at everything that a mirror stands on, and says of each fault how to mend it. */
import { createRedactor } from '../../../config/redact.ts';
import type { Finding, Verdict } from '../../doctor/finding.ts';
import { type Command, type CommandContext, defineCommand } from '../command.ts';
import { plural } from '../summary.ts';

export const doctorCommand: Command = defineCommand({
  name: 'doctor',
  summary: 'checks settings, token, API behaviour, warehouse and Redis; says how to mend each fault',
  description: 'Exits 0 when nothing is at fault, else 1. It reads a few clients and changes none.',
  needs: ['api', 'warehouse', 'mirror', 'queue'],
  // It says itself what is missing.
  tolerant: true,
  json: true,
  async run(context) {
    const [{ examine }, app] = await Promise.all([import('../../doctor/doctor.ts'), import('../../app.ts')]);
    const { config, clock, signal } = context;
    const redact = createRedactor(config, await tokenInFile(context));
    const findings: Finding[] = [];
    const open = {
      openApi: () => app.openApi({ config, clock, emit: () => undefined }),
      openWarehouse: () => app.openMirror({ config, clock }),
    };
    for await (const found of examine({ config, clock, signal, ...open })) {
      const finding = redactFinding(found, redact);
      findings.push(finding);
      if (!context.json) context.stdout.write(textOf(finding));
    }
    const count = (verdict: Verdict): number =>
      findings.filter((finding) => finding.verdict === verdict).length;
    const [faults, warnings] = [count('fault'), count('warning')];
    const summary = `${plural(faults, 'fault')}, ${plural(warnings, 'warning')}`;
    context.print({ healthy: faults === 0, faults, warnings, findings }, `\n${summary}`);
    return faults === 0 ? 0 : 1;
  },
});

const MARKS: Readonly<Record<Verdict, string>> = {
  ok: 'ok     ',
  warning: 'warning',
  fault: 'FAULT  ',
  skipped: 'skipped',
};

function textOf({ check, verdict, message, remedy }: Finding): string {
  const line = `${MARKS[verdict]}  ${check.padEnd(15)}  ${message}\n`;
  return remedy === undefined ? line : `${line}${' '.repeat(26)}→ ${remedy}\n`;
}

function redactFinding(finding: Finding, redact: (text: string) => string): Finding {
  const { remedy, message } = finding;
  const words = remedy === undefined ? {} : { remedy: redact(remedy) };
  return { ...finding, message: redact(message), ...words };
}

/** The settings do not hold a token that is in a file, and a broken server may echo it. */
async function tokenInFile({ config }: CommandContext): Promise<readonly string[]> {
  if (config.apiTokenFile === null) return [];
  const { readToken } = await import('../../doctor/token.ts');
  const token = await readToken(config).catch(() => null);
  return token === null ? [] : [token];
}
