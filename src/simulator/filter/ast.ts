/** The tree of a `$filter`: what the parser makes and the evaluator runs. Every value knows its type. */

export type ValueType = 'text' | 'uuid' | 'instant' | 'boolean' | 'number' | 'address' | 'null';

export type CompareOp = 'eq' | 'ne' | 'gt' | 'ge' | 'lt' | 'le';

export type Literal = {
  readonly kind: 'literal';
  readonly type: ValueType;
  readonly value: string | number | boolean | null;
};

export type Value =
  | Literal
  /** `sub` is a field inside `contactAddress`. */
  | { readonly kind: 'field'; readonly type: ValueType; readonly name: string; readonly sub: string | null }
  | {
      readonly kind: 'call';
      readonly type: ValueType;
      readonly name: FunctionName;
      readonly args: readonly Value[];
    };

export type Condition =
  | { readonly kind: 'compare'; readonly op: CompareOp; readonly left: Node; readonly right: Node }
  | { readonly kind: 'in'; readonly value: Value; readonly list: readonly Literal[] }
  | { readonly kind: 'and' | 'or'; readonly left: Node; readonly right: Node }
  | { readonly kind: 'not'; readonly operand: Node };

export type Node = Value | Condition;

/** Arguments and result of each function. */
export const FUNCTIONS = {
  contains: { args: ['text', 'text'], result: 'boolean' },
  startswith: { args: ['text', 'text'], result: 'boolean' },
  endswith: { args: ['text', 'text'], result: 'boolean' },
  tolower: { args: ['text'], result: 'text' },
  toupper: { args: ['text'], result: 'text' },
  length: { args: ['text'], result: 'number' },
} as const satisfies Record<string, { args: readonly ValueType[]; result: ValueType }>;

export type FunctionName = keyof typeof FUNCTIONS;

export function isFunctionName(name: string): name is FunctionName {
  return Object.hasOwn(FUNCTIONS, name);
}

export function isCondition(node: Node): node is Condition {
  return node.kind !== 'literal' && node.kind !== 'field' && node.kind !== 'call';
}

export function typeOf(node: Node): ValueType {
  return isCondition(node) ? 'boolean' : node.type;
}

/** The filter cannot be read; the message is for the answer's body. */
export class FilterError extends Error {
  override readonly name = 'FilterError';
}
