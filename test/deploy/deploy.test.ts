/**
 * What is deployed says nothing that the program does not know: metrics, settings, commands, paths and names are
 * looked up where they are defined. Real schemas of Kubernetes and compose are not at hand in a test.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { SETTINGS } from '../../config/settings.ts';
import { parseCommandLine } from '../../src/cli/program.ts';
import { COMMANDS, GROUPS } from '../../src/cli/table.ts';
import { createMetrics } from '../../src/observe/metrics.ts';

const pathOf = (name: string): string => fileURLToPath(new URL(`../../${name}`, import.meta.url));
const textOf = (name: string): string => readFileSync(pathOf(name), 'utf8');

type Tree = { readonly [key: string]: unknown } | readonly unknown[];

/** Every value that stands under that key, however deep. */
function valuesAt(tree: unknown, key: string): readonly unknown[] {
  if (typeof tree !== 'object' || tree === null) return [];
  return Object.entries(tree as Tree).flatMap(([name, value]) => [
    ...(name === key ? [value] : []),
    ...valuesAt(value, key),
  ]);
}

const manifests = readdirSync(pathOf('deploy/kubernetes')).flatMap((name) =>
  parseAllDocuments(textOf(`deploy/kubernetes/${name}`)).map((document) => {
    expect(document.errors).toEqual([]);
    return document.toJSON() as Record<string, unknown>;
  }),
);
const compose = parse(textOf('compose.yaml')) as {
  readonly services: Readonly<Record<string, Record<string, unknown>>>;
  readonly volumes: Readonly<Record<string, unknown>>;
};
const alerts = parse(textOf('deploy/monitoring/alerts.yaml')) as {
  readonly groups: readonly {
    readonly rules: readonly { readonly alert: string; readonly expr: string }[];
  }[];
};
const rules = alerts.groups.flatMap((group) => group.rules);
const board = JSON.parse(textOf('deploy/monitoring/grafana.json')) as Tree;

const KNOWN_SETTINGS = new Set<string>(SETTINGS.map(({ env }) => env));

/** Does the program take these words? */
function expectCommand(args: readonly string[]): void {
  const parsed = parseCommandLine(args, COMMANDS, { version: () => '0', groups: GROUPS });
  expect(parsed, args.join(' ')).toMatchObject({ kind: 'run' });
}

/** Everything that a worker shows, with a status that has all there is to tell. */
async function shown(): Promise<string> {
  const at = '2026-01-01T00:00:00.0000000Z';
  const none = { missing: 0, stale: 0, extra: 0 };
  const late = { count: 1, medianSeconds: 1, p99Seconds: 1, maxSeconds: 1, over: 1, lookbackSeconds: 1 };
  const status = {
    ...{
      clients: { live: 1, deleted: 0 },
      cursor: at,
      lagSeconds: 1,
      pending: 0,
      conflicts: 0,
      quarantined: 0,
    },
    ...{ deadLetters: 0, refetch: 0, backfill: 'done', massEdit: null, lateness: late, drift: [] },
    ...{ certificate: { to: at, clients: 1, ...none }, lastRuns: [{ kind: 'pull', state: 'done' }] },
  };
  const state = { status, oldestPendingMs: 0, redisIsUp: true, warehouseIsUp: true };
  type State = Parameters<ReturnType<typeof createMetrics>['render']>[0];
  return (await createMetrics().render(state as unknown as State, 0)).text;
}

describe('alerts and board', () => {
  const expressions = [...rules.map(({ expr }) => expr), ...valuesAt(board, 'expr').map(String)];

  it('ask for metrics that a worker shows, by labels that they have', async () => {
    const text = await shown();
    const asked = expressions.flatMap((expr) => expr.match(/\b(?:mirror|process|nodejs)_[a-z_]+/g) ?? []);
    expect(new Set(asked).size).toBeGreaterThan(12);
    for (const name of new Set(asked)) expect(text).toContain(`# TYPE ${name.replace(/_bucket$/, '')} `);
    for (const label of ['state="live"', 'part="redis"', 'kind="pull"']) expect(text).toContain(label);
  });

  it('are explained in the runbook, each alert under its name, and no other', () => {
    const headings = [...textOf('docs/runbook.md').matchAll(/^### (Mirror\w+)$/gm)].map(([, name]) => name);
    // One alert may have several rules.
    expect(headings.sort()).toEqual([...new Set(rules.map(({ alert }) => alert))].sort());
  });

  it('have panels that do not cover each other', () => {
    const panels = (
      board as unknown as { panels: { id: number; gridPos: Record<'x' | 'y' | 'w' | 'h', number> }[] }
    ).panels;
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, index) => `${x + (index % w)},${y + Math.floor(index / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
    expect(Math.max(...panels.map(({ gridPos: { x, w } }) => x + w))).toBeLessThanOrEqual(24);
  });

  it.runIf(spawnSync('promtool', ['--version']).status === 0)('please promtool', () => {
    const { status, stdout } = spawnSync(
      'promtool',
      ['check', 'rules', pathOf('deploy/monitoring/alerts.yaml')],
      {
        encoding: 'utf8',
      },
    );
    expect(status, stdout).toBe(0);
  });
});

describe('Kubernetes manifests', () => {
  it('run commands that there are, with settings that there are', () => {
    const commands = valuesAt(manifests, 'args') as string[][];
    expect(commands.length).toBe(3);
    for (const args of commands) expectCommand(args);
    const [config] = manifests.filter(({ kind }) => kind === 'ConfigMap');
    for (const name of Object.keys(config?.data as object)) expect(KNOWN_SETTINGS).toContain(name);
  });

  it('refer to each other by names that match', () => {
    const names = (kind: string) =>
      manifests.filter((one) => one.kind === kind).map((one) => (one.metadata as { name: string }).name);
    for (const ref of valuesAt(manifests, 'configMapRef')) {
      expect(names('ConfigMap')).toContain((ref as { name: string }).name);
    }
    const [deployment] = manifests.filter(({ kind }) => kind === 'Deployment');
    const [labels] = valuesAt(valuesAt(deployment, 'template'), 'labels');
    for (const kind of ['Service', 'PodDisruptionBudget', 'Deployment']) {
      const [selector] = valuesAt(
        manifests.filter((manifest) => manifest.kind === kind),
        'selector',
      );
      expect((selector as { matchLabels?: unknown }).matchLabels ?? selector).toEqual(labels);
    }
    const ports = valuesAt(deployment, 'ports').flat() as { name: string; containerPort: number }[];
    const probed = valuesAt(deployment, 'httpGet') as { path: string; port: string }[];
    expect(probed.map(({ path }) => path)).toEqual(['/healthz', '/healthz', '/readyz']);
    for (const { port } of probed) expect(ports.map(({ name }) => name)).toContain(port);
  });

  it('run as nobody in particular, on a read-only root', () => {
    for (const secured of valuesAt(manifests, 'containers').flat()) {
      expect((secured as { securityContext: unknown }).securityContext).toMatchObject({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
    }
    expect(valuesAt(manifests, 'runAsNonRoot')).toEqual([true, true, true]);
  });
});

describe('compose.yaml', () => {
  it('runs commands that there are, with settings that there are', () => {
    for (const [name, { image, command, environment = {} }] of Object.entries(compose.services)) {
      if (image !== 'clients-mirror') continue;
      expectCommand(String(command).split(' '));
      for (const setting of Object.keys(environment as object)) {
        expect(KNOWN_SETTINGS, name).toContain(setting);
      }
    }
  });

  it('waits for services that there are and that tell their health, and mounts volumes that there are', () => {
    const { services, volumes } = compose;
    for (const dependency of valuesAt(services, 'depends_on')) {
      for (const name of Object.keys(dependency as object)) {
        expect(services[name]?.healthcheck, name).toHaveProperty('test');
      }
    }
    for (const mount of valuesAt(services, 'volumes').flat()) {
      expect(Object.keys(volumes)).toContain(String(mount).split(':')[0]);
    }
  });
});

describe('systemd units and crontab', () => {
  it('run commands that there are', () => {
    const units = readdirSync(pathOf('deploy/systemd')).map((name) => textOf(`deploy/systemd/${name}`));
    const lines = [...units, textOf('deploy/crontab')].flatMap((text) => text.split('\n'));
    const commands = lines.flatMap((line) =>
      line.startsWith('#')
        ? []
        : (/\bclients-mirror ((?:sync|worker|reconcile)\b.*?)(?: \|\| .*)?$/.exec(line)?.[1] ?? []),
    );
    expect(commands.length).toBe(4);
    for (const command of commands) expectCommand(command.split(' '));
  });
});
