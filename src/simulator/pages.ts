/**
 * Rows → JSON bytes. What is serialised once for a leaf of an index is kept (within a bound of bytes) for as
 * long as the leaf stands, so that a page served again is a copy of bytes.
 */
import type { Leaf, Slice } from './leaves.ts';
import type { Found } from './list.ts';
import { BLANK_ROW, type ClientRow, fieldOf } from './row.ts';
import type { Handle } from './rows.ts';
import type { Store } from './store.ts';

/** How a row is written. */
export interface RowShape {
  readonly fields: readonly string[];
  /** A field of the server's own, the same for every row. */
  readonly extra: { readonly name: string; readonly value: unknown } | null;
  /** .NET's JSON leaves out trailing zeros of a fraction. */
  readonly trimsStamps: boolean;
}

export interface Pages {
  /** The rows with commas between them, no brackets; the pieces belong together and must not be changed. */
  render(found: Found, shape: RowShape): Buffer[];
  renderOne(handle: Handle, shape: RowShape): Buffer;
}

interface Rendered {
  readonly version: number;
  readonly bytes: Buffer;
  /** Where each row begins, and where one after the last would; a row ends one byte (the comma) before the next. */
  readonly starts: Uint32Array;
}

export function createPages(store: Store, cacheBytesMax: number): Pages {
  const cache = new Map<string, Rendered>();
  const writers = new Map<string, (handle: Handle) => string>();
  let cachedBytes = 0;
  let scratch = Buffer.allocUnsafe(1 << 20);

  const writerOf = (key: string, shape: RowShape): ((handle: Handle) => string) => {
    const known = writers.get(key);
    if (known !== undefined) return known;
    if (writers.size > 100) writers.clear();
    const writer = createRowWriter(store, shape);
    writers.set(key, writer);
    return writer;
  };
  const write = (
    handles: readonly Handle[],
    writer: (handle: Handle) => string,
  ): Omit<Rendered, 'version'> => {
    const starts = new Uint32Array(handles.length + 1);
    let at = 0;
    for (const [n, handle] of handles.entries()) {
      const text = writer(handle);
      // Three bytes are the most that one UTF-16 unit needs.
      const needed = at + text.length * 3 + 1;
      if (needed > scratch.length) {
        const larger = Buffer.allocUnsafe(Math.max(needed, scratch.length * 2));
        scratch.copy(larger, 0, 0, at);
        scratch = larger;
      }
      starts[n] = at;
      at += scratch.write(text, at);
      scratch[at] = COMMA;
      at += 1;
    }
    starts[handles.length] = at;
    return { bytes: Buffer.from(scratch.subarray(0, at)), starts };
  };
  const keep = (key: string, rendered: Rendered): void => {
    cachedBytes += rendered.bytes.length - (cache.get(key)?.bytes.length ?? 0);
    cache.delete(key);
    cache.set(key, rendered);
    for (const [oldest, old] of cache) {
      if (cachedBytes <= cacheBytesMax) break;
      cache.delete(oldest);
      cachedBytes -= old.bytes.length;
    }
  };
  /** Each row of it with a comma behind. */
  const slice = ({ leaf, from, to }: Slice, key: string, shape: RowShape): Buffer => {
    const cacheKey = `${leaf.serial} ${key}`;
    let rendered = cache.get(cacheKey);
    if (rendered?.version !== leaf.version) {
      const writer = writerOf(key, shape);
      // A row or two of a leaf that changes under us are not worth the leaf.
      if ((to - from) * 4 < leaf.handles.length) {
        return write(leaf.handles.slice(from, to), writer).bytes;
      }
      rendered = renderLeaf(leaf, writer);
      keep(cacheKey, rendered);
    }
    return rendered.bytes.subarray(rendered.starts[from] ?? 0, rendered.starts[to] ?? 0);
  };
  const renderLeaf = (leaf: Leaf, writer: (handle: Handle) => string): Rendered => ({
    version: leaf.version,
    ...write(leaf.handles, writer),
  });

  return {
    render(found, shape) {
      const key = keyOf(shape);
      if ('slices' in found) return withoutLastComma(found.slices.map((part) => slice(part, key, shape)));
      return withoutLastComma([write(found.handles, writerOf(key, shape)).bytes]);
    },
    renderOne: (handle, shape) => Buffer.from(writerOf(keyOf(shape), shape)(handle)),
  };
}

const COMMA = 0x2c;

function withoutLastComma(parts: Buffer[]): Buffer[] {
  const last = parts.at(-1);
  return last === undefined ? [] : [...parts.slice(0, -1), last.subarray(0, Math.max(0, last.length - 1))];
}

function keyOf(shape: RowShape): string {
  return `${shape.fields.join()} ${shape.trimsStamps} ${shape.extra === null ? '' : JSON.stringify(shape.extra)}`;
}

/** Up to so many fields are written one by one; with more, leaving out the others is the quicker way. */
const FEW_FIELDS = 6;

function createRowWriter(store: Store, shape: RowShape): (handle: Handle) => string {
  const write = shape.fields.length <= FEW_FIELDS ? createFieldWriter(shape) : createWholeWriter(shape);
  return (handle) => {
    const broken = store.spoiled(handle);
    const row = store.row(handle);
    return broken === undefined ? write(row) : writeBroken({ ...row, ...broken }, shape);
  };
}

function createFieldWriter(shape: RowShape): (row: ClientRow) => string {
  const names = shape.fields.map((name, n) => `${n === 0 ? '' : ','}${JSON.stringify(name)}:`);
  const extra =
    shape.extra === null ? '' : `,${JSON.stringify(shape.extra.name)}:${JSON.stringify(shape.extra.value)}`;
  return (row) => {
    let text = '{';
    for (let n = 0; n < names.length; n += 1) {
      const name = shape.fields[n] as string;
      const value = fieldOf(row, name);
      text += names[n];
      if (typeof value === 'string') text += writeText(shape.trimsStamps ? trimStamp(name, value) : value);
      else if (typeof value === 'object' && value !== null) text += JSON.stringify(value);
      else text += value;
    }
    return `${text}${extra}}`;
  };
}

function createWholeWriter(shape: RowShape): (row: ClientRow) => string {
  const unwanted = Object.keys(BLANK_ROW).filter((name) => !shape.fields.includes(name));
  return (row) => {
    const copy: Record<string, unknown> = { ...row };
    // JSON leaves out what is undefined; deleting would cost the object its shape, and a third of the speed.
    for (const name of unwanted) copy[name] = undefined;
    if (shape.extra !== null) copy[shape.extra.name] = shape.extra.value;
    if (shape.trimsStamps) {
      copy.createdOn &&= trimStamp('createdOn', String(copy.createdOn));
      copy.updatedOn &&= trimStamp('updatedOn', String(copy.updatedOn));
    }
    return JSON.stringify(copy);
  };
}

function writeBroken(row: Readonly<Record<string, unknown>>, shape: RowShape): string {
  const names = new Set([
    ...shape.fields,
    ...Object.keys(row).filter((name) => !shape.fields.includes(name)),
  ]);
  const known = new Set(shape.fields);
  const entries = [...names]
    .filter((name) => known.has(name) || !(name in BLANK_ROW))
    .map((name) => [name, row[name]] as const);
  if (shape.extra !== null) entries.push([shape.extra.name, shape.extra.value]);
  return JSON.stringify(Object.fromEntries(entries));
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what JSON escapes
const NEEDS_ESCAPE = /["\\\u0000-\u001f\ud800-\udfff]/;

function writeText(text: string): string {
  return NEEDS_ESCAPE.test(text) ? JSON.stringify(text) : `"${text}"`;
}

function trimStamp(name: string, value: string): string {
  return name === 'createdOn' || name === 'updatedOn' ? value.replace(/\.?0+Z$/, 'Z') : value;
}
