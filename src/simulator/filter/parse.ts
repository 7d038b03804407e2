/**
 * `$filter` → tree, by recursive descent, one function a level of precedence: or, and, not, comparison, value.
 * Types are checked here, so that a tree that exists can be evaluated. The size is counted as ASP.NET counts
 * it (a property is two nodes, a comparison one, a non-text comparison one more for its conversion) and bounded.
 */
import { ADDRESS_FIELDS } from '../row.ts';
import {
  type CompareOp,
  FilterError,
  FUNCTIONS,
  isCondition,
  isFunctionName,
  type Literal,
  type Node,
  typeOf,
  type Value,
  type ValueType,
} from './ast.ts';
import { readTokens, type Token } from './lexer.ts';

export interface ParseFilterOptions {
  /** The type of a known property; undefined: unknown. */
  typeOfField(name: string): ValueType | undefined;
  /** 100, as ASP.NET's default. */
  readonly nodesMax?: number;
}

const COMPARE_OPS: readonly CompareOp[] = ['eq', 'ne', 'gt', 'ge', 'lt', 'le'];
const DEPTH_MAX = 100;

/** @throws FilterError when the text is no filter of this API */
export function parseFilter(text: string, options: ParseFilterOptions): Node {
  const cursor = createCursor(text, options);
  const node = readOr(cursor);
  cursor.expect('end');
  if (typeOf(node) !== 'boolean') {
    throw new FilterError('The $filter expression must evaluate to a single boolean value.');
  }
  const limit = options.nodesMax ?? 100;
  if (countNodes(node) > limit) {
    throw new FilterError(
      `The node count limit of '${limit}' has been exceeded. To increase the limit, set the 'MaxNodeCount' property on EnableQueryAttribute or ODataValidationSettings.`,
    );
  }
  return node;
}

/** Where the parser stands in the tokens. */
interface Cursor {
  readonly options: ParseFilterOptions;
  peek(): Token;
  take(): Token;
  /** Steps over this word, if it comes next. */
  skipWord(word: string): boolean;
  /** Steps over a comma, if it comes next. */
  skipComma(): boolean;
  expect(kind: Token['kind']): void;
  fail(token: Token): never;
  /** Bounds how deep the levels call each other. */
  nested(read: (cursor: Cursor) => Node): Node;
}

function createCursor(text: string, options: ParseFilterOptions): Cursor {
  const tokens = readTokens(text);
  let position = 0;
  let depth = 0;
  const cursor: Cursor = {
    options,
    peek: () => tokens[position] as Token,
    take() {
      position += 1;
      return tokens[position - 1] as Token;
    },
    skipWord(word) {
      const token = cursor.peek();
      const found = token.kind === 'word' && token.text === word;
      if (found) position += 1;
      return found;
    },
    skipComma() {
      const found = cursor.peek().kind === ',';
      if (found) position += 1;
      return found;
    },
    expect(kind) {
      const token = cursor.take();
      if (token.kind !== kind) cursor.fail(token);
    },
    fail(token) {
      const what = token.kind === 'end' ? 'Expression expected' : 'Syntax error';
      throw new FilterError(`${what} at position ${token.at} in '${text}'.`);
    },
    nested(read) {
      depth += 1;
      if (depth > DEPTH_MAX) throw new FilterError('Recursion depth exceeded allowed limit.');
      const node = read(cursor);
      depth -= 1;
      return node;
    },
  };
  return cursor;
}

function readOr(cursor: Cursor): Node {
  return readChain(cursor, 'or', readAnd);
}

function readAnd(cursor: Cursor): Node {
  return readChain(cursor, 'and', readNot);
}

function readChain(cursor: Cursor, kind: 'and' | 'or', level: (cursor: Cursor) => Node): Node {
  let left = level(cursor);
  while (cursor.skipWord(kind)) {
    left = { kind, left: checkBoolean(left, kind), right: checkBoolean(level(cursor), kind) };
  }
  return left;
}

function readNot(cursor: Cursor): Node {
  if (!cursor.skipWord('not')) return readComparison(cursor);
  return { kind: 'not', operand: checkBoolean(cursor.nested(readNot), 'not') };
}

function readComparison(cursor: Cursor): Node {
  const left = readOperand(cursor);
  if (cursor.skipWord('in')) return readMembership(cursor, left);
  for (const op of COMPARE_OPS) {
    if (!cursor.skipWord(op)) continue;
    const right = readOperand(cursor);
    checkComparable(left, right, op);
    return { kind: 'compare', op, left, right };
  }
  return left;
}

function readMembership(cursor: Cursor, value: Node): Node {
  if (isCondition(value)) throw new FilterError("The left operand of 'in' must be a value.");
  const list: Literal[] = [];
  cursor.expect('(');
  do {
    const item = cursor.take();
    if (item.kind !== 'literal') return cursor.fail(item);
    checkComparable(value, item.literal, 'eq');
    list.push(item.literal);
  } while (cursor.skipComma());
  cursor.expect(')');
  return { kind: 'in', value, list };
}

function readOperand(cursor: Cursor): Node {
  const token = cursor.take();
  if (token.kind === 'literal') return token.literal;
  if (token.kind === '(') {
    const inner = cursor.nested(readOr);
    cursor.expect(')');
    return inner;
  }
  if (token.kind !== 'word') return cursor.fail(token);
  return cursor.peek().kind === '(' ? readCall(cursor, token.text) : readProperty(cursor, token.text);
}

function readCall(cursor: Cursor, name: string): Node {
  if (!isFunctionName(name)) throw new FilterError(`An unknown function with name '${name}' was found.`);
  const args: Value[] = [];
  cursor.expect('(');
  do args.push(argument(cursor.nested(readOperand), name));
  while (cursor.skipComma());
  cursor.expect(')');
  const { args: wanted, result } = FUNCTIONS[name];
  if (args.length !== wanted.length || args.some((arg, n) => arg.type !== wanted[n])) {
    throw new FilterError(`No function signature for the function with name '${name}' matches.`);
  }
  return { kind: 'call', type: result, name, args };
}

function readProperty(cursor: Cursor, path: string): Value {
  const [name = '', sub = null, ...deeper] = path.split('/');
  const type = cursor.options.typeOfField(name);
  const isKnown = sub === null || (type === 'address' && ADDRESS_FIELDS.includes(sub) && deeper.length === 0);
  if (type === undefined || !isKnown) {
    throw new FilterError(`Could not find a property named '${path}' on type 'LoanSystem.Client'.`);
  }
  return { kind: 'field', type: sub === null ? type : 'text', name, sub };
}

function checkBoolean(node: Node, operator: string): Node {
  if (typeOf(node) === 'boolean') return node;
  throw new FilterError(`An operand of the operator '${operator}' is not of type Edm.Boolean.`);
}

function argument(node: Node, name: string): Value {
  if (isCondition(node)) throw new FilterError(`An argument of '${name}' is not a value.`);
  return node;
}

function checkComparable(left: Node, right: Node, op: CompareOp): void {
  const [a, b] = [typeOf(left), typeOf(right)];
  const isOrder = op !== 'eq' && op !== 'ne';
  const fits = a === 'null' || b === 'null' || (a === b && a !== 'address');
  const unordered: readonly ValueType[] = ['boolean', 'address'];
  if (fits && !(isOrder && (unordered.includes(a) || unordered.includes(b)))) return;
  throw new FilterError(
    `A binary operator with incompatible types was detected. Found operand types '${a}' and '${b}' for operator kind '${op}'.`,
  );
}

/** As ASP.NET's FilterQueryValidator counts: a property stands on a range variable, and non-text values are converted. */
function countNodes(node: Node): number {
  switch (node.kind) {
    case 'literal':
      return 1;
    case 'field':
      return node.sub === null ? 2 : 3;
    case 'call':
      return node.args.reduce((sum, arg) => sum + countNodes(arg), 1);
    case 'in':
      return 1 + countNodes(node.value) + node.list.length;
    case 'not':
      return 1 + countNodes(node.operand);
    case 'compare': {
      const conversion = typeOf(node.left) === 'text' ? 0 : 1;
      return 1 + conversion + countNodes(node.left) + countNodes(node.right);
    }
    default:
      return 1 + countNodes(node.left) + countNodes(node.right);
  }
}
