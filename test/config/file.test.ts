import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseSettingsFile } from '../../config/file.ts';

function parse(text: string) {
  const parsed = parseSettingsFile({ path: 'my.env', text });
  return {
    entries: Object.fromEntries([...parsed.entries].map(([key, { text: value }]) => [key, value])),
    problems: parsed.problems,
  };
}

describe('parseSettingsFile', () => {
  it('reads keys and values, comments and quotes', () => {
    const text = [
      '\uFEFF# a comment',
      '',
      'A=1',
      '  export B = two words  # and a comment',
      "C='as it is # $A \\n'",
      'D="a\\nb \\"c\\" \\$A" # comment',
      'E=',
      'F=a#b',
      'G= # nothing',
      'H=x=y\r',
    ].join('\n');
    expect(parse(text)).toEqual({
      entries: {
        A: '1',
        B: 'two words',
        C: 'as it is # $A \\n',
        D: 'a\nb "c" $A',
        E: '',
        F: 'a#b',
        G: '',
        H: 'x=y',
      },
      problems: [],
    });
  });

  it('takes any end of a line, one of old Macs as well', () => {
    expect(parse('A=1\rB=2\r\nC=3\n\rD')).toEqual({
      entries: { A: '1', B: '2', C: '3' },
      problems: ['my.env line 5 is not KEY=VALUE'],
    });
  });

  it('names the number of a bad line and never quotes it', () => {
    const { problems } = parse('A=1\nsecret words\nB="secret\nA=2\n=x');
    expect(problems).toEqual([
      'my.env line 2 is not KEY=VALUE',
      'my.env line 3: the quotes around the value of B do not close',
      'my.env line 4: A was set already in my.env line 1',
      'my.env line 5 is not KEY=VALUE',
    ]);
  });

  it('takes any letter but an end of line into a value', () => {
    expect(parse('A=a\u2028b # c\u2028d\nB=\'a\u2028b\'\nC="a\\\u2028" # \u2029')).toEqual({
      entries: { A: 'a\u2028b', B: 'a\u2028b', C: 'a\u2028' },
      problems: [],
    });
  });

  it('reads back every value written in double quotes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (value) => {
        fc.pre(!/[\r\n]/.test(value));
        const quoted = value.replace(/[\\"$]/g, '\\$&');
        expect(parse(`KEY="${quoted}"`).entries).toEqual({ KEY: value });
      }),
    );
  });
});
