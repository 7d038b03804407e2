import { describe, expect, it } from 'vitest';
import { describeFailure } from '../../src/cli/failure.ts';
import { ERRORS, type ErrorCode, SyncError } from '../../src/errors.ts';

describe('describeFailure', () => {
  it('gives each error of the table its exit code and its hint', () => {
    for (const code of Object.keys(ERRORS) as ErrorCode[]) {
      const failure = describeFailure(new SyncError(code, 'it is so'), false);
      expect(failure.exit).toBe(ERRORS[code].exit);
      expect(failure.text).toBe(`clients-mirror: it is so\n  ${ERRORS[code].hint}\n`);
    }
  });

  it('has one line where there is no hint, and one for each of several problems', () => {
    const error = new SyncError('SETTINGS', 'A is bad\nB is bad', { hint: '' });
    expect(describeFailure(error, false)).toEqual({
      exit: 2,
      text: 'clients-mirror: A is bad\nclients-mirror: B is bad\n',
    });
  });

  it('calls anything else a bug, in one line without a stack', () => {
    const failure = describeFailure(new TypeError('x is not a function\nmore'), false);
    expect(failure.exit).toBe(1);
    expect(failure.text).toMatch(
      /^clients-mirror: unexpected TypeError: x is not a function\n {2}This is a bug/,
    );
    expect(failure.text).not.toContain(' at ');
    expect(describeFailure('a string', false).text).toContain('unexpected a string');
  });

  it('shows the stack and the causes on request', () => {
    const cause = new Error('deep');
    const text = describeFailure(new SyncError('NETWORK', 'away', {}, cause), true).text;
    expect(text).toContain('failure.test.ts');
    expect(text).toContain('caused by Error: deep');
  });
});
