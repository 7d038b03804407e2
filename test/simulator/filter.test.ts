import { describe, expect, it } from 'vitest';
import { FilterError, type ValueType } from '../../src/simulator/filter/ast.ts';
import { compileFilter } from '../../src/simulator/filter/evaluate.ts';
import { parseFilter } from '../../src/simulator/filter/parse.ts';
import { BLANK_ROW, type ClientRow, FIELD_TYPES } from '../../src/simulator/row.ts';

const ID = '0a0b0c0d-0000-4000-8000-00000000000f';
const ROW: ClientRow = {
  ...BLANK_ROW,
  id: ID,
  email: "o'brien@example.com",
  firstName: 'Ada',
  lastName: "O'Brien",
  createdOn: '2024-05-06T07:08:09.1234567Z',
  updatedOn: null,
  fico: 700,
  totalIncome: 1234.5,
  isArchived: true,
  firstTimeBuyer: null,
  contactAddress: { addressLine1: '1 Main', addressLine2: null, city: 'Austin', state: 'TX', zipCode: '1' },
};

function typeOfField(name: string): ValueType | undefined {
  const type = FIELD_TYPES.get(name);
  if (type === 'int32' || type === 'double') return 'number';
  return type === 'json' ? 'address' : type;
}

function holds(text: string): boolean {
  const node = parseFilter(text, { typeOfField });
  const read = (name: string, sub: string | null) => (row: ClientRow) => {
    const value = (row as Record<string, unknown>)[name];
    return sub === null ? value : (value as Record<string, unknown> | null)?.[sub];
  };
  return compileFilter<ClientRow>(node, { read, uuidKey: (id) => id })(ROW);
}

const TRUE = [
  "firstName eq 'Ada'",
  "'Ada' eq firstName",
  "lastName eq 'O''Brien'",
  `id eq ${ID}`,
  `id eq ${ID.toUpperCase()}`,
  `id in (${ID}, 00000000-0000-0000-0000-000000000000)`,
  "firstName in ('Bob','Ada')",
  'fico in (1, 700)',
  'fico gt 699 and fico lt 701 and fico ge 700 and fico le 700',
  'totalIncome eq 1234.5',
  'totalIncome gt -1e3',
  'createdOn eq 2024-05-06T07:08:09.1234567Z',
  'createdOn gt 2024-05-06T07:08:09.1234566Z',
  'createdOn lt 2024-05-06T10:08:09.1234568+03:00',
  'createdOn ge 2024-05-06T07:08Z',
  'updatedOn eq null',
  'not (updatedOn ne null)',
  'fico ne null',
  'firstTimeBuyer ne true',
  'firstTimeBuyer ne false',
  'isArchived',
  'isArchived eq true',
  'not isSilenced',
  'true',
  'contactAddress ne null',
  "contactAddress/city eq 'Austin'",
  'contactAddress/addressLine2 eq null',
  "contains(email, 'brien@')",
  "contains(email, 'brien@') eq true",
  "startswith(firstName, 'A')",
  "endswith(email,'.com')",
  "tolower(firstName) eq 'ada'",
  "toupper(firstName) eq 'ADA'",
  "contains(tolower(lastName), 'o''b')",
  'length(firstName) eq 3',
  "firstName eq 'Bob' and firstName eq 'Eve' or firstName eq 'Ada'",
  "firstName eq 'Ada' or firstName eq 'Bob' and firstName eq 'Eve'",
  "not (firstName eq 'Bob') and isArchived",
  "not(firstName eq 'Bob')",
  '((fico eq 700))',
  '(fico eq 700) eq true',
];

const FALSE = [
  "firstName eq 'ada'",
  'updatedOn gt 2000-01-01T00:00:00Z',
  'updatedOn le 2999-01-01T00:00:00Z',
  'updatedOn ge null',
  'firstTimeBuyer',
  'firstTimeBuyer eq true',
  "(firstName eq 'Ada' or firstName eq 'Bob') and firstName eq 'Eve'",
  'createdOn gt 2024-05-06T07:08:09.1234567Z',
  "contains(fax, 'x')",
  'length(fax) ge 0',
];

const REFUSED = [
  '',
  ' ',
  'foo eq 1',
  'Fico eq 1',
  'fico',
  'fico eq',
  'fico eq 700 and',
  'and fico eq 700',
  'fico = 700',
  'fico eq 700 fico eq 700',
  'fico eq 700)',
  '(fico eq 700',
  'fico EQ 700',
  'fico eq 700and isArchived',
  "fico eq '700'",
  'firstName eq 700',
  'firstName eq "Ada"',
  "firstName eq 'Ada",
  "firstName eq 'O'Brien'",
  `id eq '${ID}'`,
  'id eq 0a0b0c0d',
  "createdOn ge '2024-05-06T07:08:09Z'",
  'createdOn ge 2024-05-06',
  'createdOn ge 2024-05-06T07:08:09',
  'createdOn ge 2024-05-06T07:08:09 03:00',
  'createdOn ge 2024-05-06T07:08:09.12345678Z',
  'createdOn ge 2024-13-06T07:08:09Z',
  'isArchived gt false',
  'contactAddress gt null',
  'contactAddress eq contactAddress',
  'contactAddress/street eq null',
  'firstName/length eq 3',
  "isArchived eq 'true'",
  'not fico',
  'contains(email)',
  "contains(email, 'a', 'b')",
  'contains(email, 1)',
  "substringof('a', email)",
  'length(fico) eq 1',
  'fico in ()',
  'fico in (1,)',
  "fico in ('1')",
  'fico in 1',
  'fico eq 1; drop',
  'fico eq 1 $ 2',
  'fico eq 700 eq true',
  `${'('.repeat(200)}true${')'.repeat(200)}`,
];

describe('parseFilter', () => {
  it.each(TRUE)('reads and finds true: %s', (text) => expect(holds(text)).toBe(true));
  it.each(FALSE)('reads and finds false: %s', (text) => expect(holds(text)).toBe(false));
  it.each(REFUSED)('refuses: %s', (text) => expect(() => holds(text)).toThrow(FilterError));

  it('counts nodes as ASP.NET: sixteen uuid comparisons pass, seventeen do not', () => {
    const ids = (n: number) => Array.from({ length: n }, () => `id eq ${ID}`).join(' or ');
    expect(holds(ids(16))).toBe(true);
    expect(() => holds(ids(17))).toThrow(/node count limit of '100'/);
  });

  it('counts twenty text comparisons within the limit, and one more beyond', () => {
    const names = (n: number) => Array.from({ length: n }, () => "firstName eq 'Ada'").join(' or ');
    expect(holds(names(20))).toBe(true);
    expect(() => holds(names(21))).toThrow(/node count/);
  });
});
