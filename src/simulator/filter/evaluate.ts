/**
 * Tree → predicate. Null as OData and .NET have it: `eq` and `ne` compare it like a value, every other
 * comparison with it is false, a function of it is null, and a null condition is false.
 */
import type { CompareOp, Condition, Literal, Node, Value } from './ast.ts';

export interface FieldReader<T> {
  /** How a field is read; `sub` is a field inside an object. */
  read(name: string, sub: string | null): (item: T) => unknown;
  /** Turns a uuid into a text that sorts as the server sorts uuids. */
  uuidKey(id: string): string;
}

type Scalar = string | number | boolean | null;

export function compileFilter<T>(node: Node, fields: FieldReader<T>): (item: T) => boolean {
  if (node.kind === 'literal' || node.kind === 'field' || node.kind === 'call') {
    const value = compileValue(node, fields);
    return (item) => value(item) === true;
  }
  return compileCondition(node, fields);
}

function compileCondition<T>(node: Condition, fields: FieldReader<T>): (item: T) => boolean {
  switch (node.kind) {
    case 'and': {
      const [left, right] = [compileFilter(node.left, fields), compileFilter(node.right, fields)];
      return (item) => left(item) && right(item);
    }
    case 'or': {
      const [left, right] = [compileFilter(node.left, fields), compileFilter(node.right, fields)];
      return (item) => left(item) || right(item);
    }
    case 'not': {
      const operand = compileFilter(node.operand, fields);
      return (item) => !operand(item);
    }
    case 'in': {
      const value = compileValue(node.value, fields);
      const wanted = new Set<unknown>(node.list.map((literal) => literal.value));
      return (item) => wanted.has(value(item));
    }
    case 'compare':
      return compileCompare(node, fields);
  }
}

function compileCompare<T>(
  node: Condition & { kind: 'compare' },
  fields: FieldReader<T>,
): (item: T) => boolean {
  const { op } = node;
  const [left, right] = [operand(node.left, fields), operand(node.right, fields)];
  const isUuid = (side: Node): boolean => 'type' in side && side.type === 'uuid';
  if (isUuid(node.left) && isUuid(node.right)) {
    const key = (value: Scalar): Scalar => (value === null ? null : fields.uuidKey(String(value)));
    return (item) => holds(op, key(left(item)), key(right(item)));
  }
  return (item) => holds(op, left(item), right(item));
}

function operand<T>(node: Node, fields: FieldReader<T>): (item: T) => Scalar {
  return node.kind === 'literal' || node.kind === 'field' || node.kind === 'call'
    ? compileValue(node, fields)
    : compileCondition(node, fields);
}

function holds(op: CompareOp, left: Scalar, right: Scalar): boolean {
  if (op === 'eq') return left === right;
  if (op === 'ne') return left !== right;
  if (left === null || right === null) return false;
  if (op === 'gt') return left > right;
  if (op === 'ge') return left >= right;
  return op === 'lt' ? left < right : left <= right;
}

function compileValue<T>(node: Value, fields: FieldReader<T>): (item: T) => Scalar {
  if (node.kind === 'literal') return constant(node);
  if (node.kind === 'field') {
    const read = fields.read(node.name, node.sub);
    return (item) => {
      const value = read(item) ?? null;
      // An object can only be compared with null.
      return typeof value === 'object' ? (value === null ? null : true) : (value as Scalar);
    };
  }
  const args = node.args.map((arg) => compileValue(arg, fields));
  const run = CALLS[node.name];
  return (item) => {
    const values = args.map((arg) => arg(item));
    return values.some((value) => value === null) ? null : run(String(values[0]), String(values[1]));
  };
}

function constant(literal: Literal): () => Scalar {
  return () => literal.value;
}

const CALLS = {
  contains: (text: string, part: string) => text.includes(part),
  startswith: (text: string, part: string) => text.startsWith(part),
  endswith: (text: string, part: string) => text.endsWith(part),
  tolower: (text: string) => text.toLowerCase(),
  toupper: (text: string) => text.toUpperCase(),
  length: (text: string) => text.length,
} as const;
