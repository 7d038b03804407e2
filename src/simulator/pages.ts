/**
 * Rows → JSON bytes. What is serialised once for a leaf of an index is kept (within a bound of bytes) for as
 * long as the leaf stands, so that a page served again is a copy of bytes.
 */
import { createArena, isKept, type Kept } from './arena.ts';
import type { Slice } from './leaves.ts';
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
  /** The rows with commas between them, no brackets. */
  render(found: Found, shape: RowShape): Rendering;
  renderOne(handle: Handle, shape: RowShape): Buffer;
  /** Serialises whole slices ahead of their first reader, as far as there is room to keep them. */
  warm(slices: readonly Slice[], shape: RowShape): void;
}

/** Bytes that stand until they are released; they must not be changed. */
interface Rendering {
  readonly parts: readonly Buffer[];
  release(): void;
}

interface Rendered extends Kept {
  readonly version: number;
  /** Where each row begins, and where one after the last would; each row has a comma behind it. */
  readonly starts: Uint32Array;
}

type Writer = (handle: Handle) => string;

const WRITERS_MAX = 100;
/** Entries are a few hundred bytes; the rows themselves are the arena's. */
const ENTRIES_MAX = 20_000;

export function createPages(store: Store, cacheBytesMax: number): Pages {
  const arena = createArena(cacheBytesMax);
  const writeRows = createRowsWriter();
  const cache = new Map<string, Rendered>();
  const writers = new Map<string, Writer>();

  const writerOf = (key: string, shape: RowShape): Writer => {
    const writer = writers.get(key) ?? createRowWriter(store, shape);
    if (writers.size > WRITERS_MAX) writers.clear();
    writers.set(key, writer);
    return writer;
  };
  const renderRows = (handles: readonly Handle[], writer: Writer, version: number): Rendered => {
    const { bytes, starts } = writeRows(handles, writer);
    return { ...arena.keep(bytes), starts, version };
  };
  /** Each row of the slice with a comma behind. */
  const renderSlice = ({ leaf, from, to }: Slice, key: string, shape: RowShape): Kept => {
    const cacheKey = `${leaf.serial} ${key}`;
    let rendered = cache.get(cacheKey);
    if (rendered === undefined || rendered.version !== leaf.version || !isKept(rendered)) {
      const writer = writerOf(key, shape);
      // A row or two of a leaf that changes under us are not worth the leaf.
      if ((to - from) * 4 < leaf.handles.length) return renderRows(leaf.handles.slice(from, to), writer, 0);
      rendered = renderRows(leaf.handles, writer, leaf.version);
      if (cache.size > ENTRIES_MAX) cache.clear();
      cache.set(cacheKey, rendered);
    }
    return { ...rendered, bytes: rendered.bytes.subarray(rendered.starts[from], rendered.starts[to]) };
  };

  return {
    render(found, shape) {
      const key = keyOf(shape);
      const pinned: Kept[] = [];
      const pin = (kept: Kept): void => {
        // At once: the next slice may need memory, and must not take this one's.
        kept.chunk.pins += 1;
        pinned.push(kept);
      };
      if ('slices' in found) for (const slice of found.slices) pin(renderSlice(slice, key, shape));
      else pin(renderRows(found.handles, writerOf(key, shape), 0));
      return {
        parts: withoutLastComma(pinned.map((kept) => kept.bytes)),
        release() {
          for (const { chunk } of pinned.splice(0)) chunk.pins -= 1;
        },
      };
    },
    renderOne: (handle, shape) => Buffer.from(writerOf(keyOf(shape), shape)(handle)),
    warm(slices, shape) {
      for (const slice of slices) renderSlice(slice, keyOf(shape), shape);
    },
  };
}

/** Writes rows one behind the other into a buffer that serves again: copy what is to stay. */
function createRowsWriter(): (
  handles: readonly Handle[],
  writer: Writer,
) => { bytes: Buffer; starts: Uint32Array } {
  let scratch = Buffer.allocUnsafe(1 << 20);
  return (handles, writer) => {
    const starts = new Uint32Array(handles.length + 1);
    let at = 0;
    for (let n = 0; n < handles.length; n += 1) {
      const text = writer(handles[n] as Handle);
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
    return { bytes: scratch.subarray(0, at), starts };
  };
}

const COMMA = 0x2c;

function withoutLastComma(parts: readonly Buffer[]): readonly Buffer[] {
  const last = parts.at(-1);
  return last === undefined ? [] : [...parts.slice(0, -1), last.subarray(0, Math.max(0, last.length - 1))];
}

function keyOf(shape: RowShape): string {
  return `${shape.fields.join()} ${shape.trimsStamps} ${shape.extra === null ? '' : JSON.stringify(shape.extra)}`;
}

/** Up to so many fields are written one by one; with more, leaving out the others is the quicker way. */
const FEW_FIELDS = 6;

function createRowWriter(store: Store, shape: RowShape): Writer {
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
  if (unwanted.length === 0 && shape.extra === null && !shape.trimsStamps)
    return (row) => JSON.stringify(row);
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
