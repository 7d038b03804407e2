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

const COMPARE_OPS: ReadonlySet<string> = new Set(['eq', 'ne', 'gt', 'ge', 'lt', 'le']);
const DEPTH_MAX = 100;

/** @throws FilterError when the text is no filter of this API */
export function parseFilter(text: string, options: ParseFilterOptions): Node {
  const reader = createReader(text, options);
  const node = reader.or();
  reader.expect('end');
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

interface Reader {
  or(): Node;
  expect(kind: Token['kind']): void;
}

function createReader(text: string, options: ParseFilterOptions): Reader {
  const tokens = readTokens(text);
  let position = 0;
  let depth = 0;
  const peek = (): Token => tokens[position] as Token;
  const take = (): Token => {
    const token = peek();
    position += 1;
    return token;
  };
  const isWord = (word: string): boolean => peek().kind === 'word' && peek().text === word;
  const fail = (token: Token): never => {
    throw new FilterError(
      token.kind === 'end'
        ? `Expression expected at position ${token.at} in '${text}'.`
        : `Syntax error at position ${token.at} in '${text}'.`,
    );
  };
  const expect = (kind: Token['kind']): void => {
    const token = take();
    if (token.kind !== kind) fail(token);
  };
  const boolean = (node: Node, operator: string): Node => {
    if (typeOf(node) !== 'boolean') {
      throw new FilterError(`An operand of the operator '${operator}' is not of type Edm.Boolean.`);
    }
    return node;
  };
  const chain = (kind: 'and' | 'or', level: () => Node): Node => {
    let left = level();
    while (isWord(kind)) {
      position += 1;
      left = { kind, left: boolean(left, kind), right: boolean(level(), kind) };
    }
    return left;
  };
  const or = (): Node => chain('or', and);
  const and = (): Node => chain('and', not);
  const not = (): Node => {
    if (!isWord('not')) return comparison();
    position += 1;
    return nested(() => ({ kind: 'not', operand: boolean(not(), 'not') }));
  };
  const comparison = (): Node => {
    const left = operand();
    const word = peek();
    if (word.kind !== 'word') return left;
    if (word.text === 'in') {
      position += 1;
      return membership(left);
    }
    if (!COMPARE_OPS.has(word.text)) return left;
    position += 1;
    const right = operand();
    checkComparable(left, right, word.text as CompareOp);
    return { kind: 'compare', op: word.text as CompareOp, left, right };
  };
  const membership = (value: Node): Node => {
    if (isCondition(value)) throw new FilterError("The left operand of 'in' must be a value.");
    const list: Literal[] = [];
    expect('(');
    do {
      const item = take();
      if (item.kind !== 'literal') return fail(item);
      checkComparable(value, item.literal, 'eq');
      list.push(item.literal);
    } while (peek().kind === ',' && take());
    expect(')');
    return { kind: 'in', value, list };
  };
  const operand = (): Node => {
    const token = take();
    if (token.kind === 'literal') return token.literal;
    if (token.kind === '(') {
      const inner = nested(or);
      expect(')');
      return inner;
    }
    if (token.kind !== 'word') return fail(token);
    return peek().kind === '(' ? call(token) : property(token.text);
  };
  const call = (name: Token): Node => {
    if (!isFunctionName(name.text)) {
      throw new FilterError(`An unknown function with name '${name.text}' was found.`);
    }
    const args: Value[] = [];
    expect('(');
    do args.push(argument(nested(operand), name.text));
    while (peek().kind === ',' && take());
    expect(')');
    const { args: wanted, result } = FUNCTIONS[name.text];
    if (args.length !== wanted.length || args.some((arg, n) => arg.type !== wanted[n])) {
      throw new FilterError(`No function signature for the function with name '${name.text}' matches.`);
    }
    return { kind: 'call', type: result, name: name.text, args };
  };
  const property = (path: string): Value => {
    const [name = '', sub = null, ...deeper] = path.split('/');
    const type = options.typeOfField(name);
    const isKnown =
      sub === null || (type === 'address' && ADDRESS_FIELDS.includes(sub) && deeper.length === 0);
    if (type === undefined || !isKnown) {
      throw new FilterError(`Could not find a property named '${path}' on type 'LoanSystem.Client'.`);
    }
    return { kind: 'field', type: sub === null ? type : 'text', name, sub };
  };
  const nested = (read: () => Node): Node => {
    depth += 1;
    if (depth > DEPTH_MAX) throw new FilterError('Recursion depth exceeded allowed limit.');
    const node = read();
    depth -= 1;
    return node;
  };
  return { or, expect };
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
