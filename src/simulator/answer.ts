/** What the simulator answers, errors included, in the words and shapes of an ASP.NET server with OData. */

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** The body in pieces, so that kept bytes need not be copied together; null: no body at all. */
  readonly body: readonly Buffer[] | null;
  /** To be called when the body is out, or will never go out. */
  readonly release?: () => void;
}

/** Ends a request with an answer that is not a success. */
export class HttpProblem extends Error {
  override readonly name = 'HttpProblem';
  readonly answer: Answer;

  constructor(answer: Answer) {
    super(`answered ${answer.status}`);
    this.answer = answer;
  }
}

const JSON_TYPE = 'application/json; charset=utf-8';

export function jsonAnswer(status: number, value: unknown, headers: Record<string, string> = {}): Answer {
  return bytesAnswer(status, Buffer.from(JSON.stringify(value)), { 'content-type': JSON_TYPE, ...headers });
}

export function bytesAnswer(status: number, body: Buffer, headers: Record<string, string>): Answer {
  return { status, headers, body: [body] };
}

export function emptyAnswer(status: number, headers: Record<string, string> = {}): Answer {
  return { status, headers, body: null };
}

/** 400 in OData's shape: the query cannot be understood. */
export function badQuery(message: string): HttpProblem {
  const text = `The query specified in the URI is not valid. ${message}`;
  const inner = { message, type: 'Microsoft.OData.ODataException', stacktrace: '' };
  return new HttpProblem(
    jsonAnswer(400, { error: { code: '', message: text, details: [], innererror: inner } }),
  );
}

/** 400 in ASP.NET's shape: values by name that do not fit. */
export function badValues(errors: Readonly<Record<string, readonly string[]>>, status = 400): HttpProblem {
  return new HttpProblem(
    jsonAnswer(
      status,
      { ...detailsOf(status, 'One or more validation errors occurred.'), errors },
      { 'content-type': 'application/problem+json; charset=utf-8' },
    ),
  );
}

const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  409: 'Conflict',
  412: 'Precondition Failed',
  413: 'Payload Too Large',
  415: 'Unsupported Media Type',
  422: 'Unprocessable Entity',
  429: 'Too Many Requests',
  500: 'An error occurred while processing your request.',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
};

/** An error with a problem document and nothing more to say. */
export function problemAnswer(status: number, headers: Record<string, string> = {}): Answer {
  return jsonAnswer(status, detailsOf(status, TITLES[status] ?? 'Error'), {
    'content-type': 'application/problem+json; charset=utf-8',
    ...headers,
  });
}

export function problem(status: number, headers: Record<string, string> = {}): HttpProblem {
  return new HttpProblem(problemAnswer(status, headers));
}

/** The same error, quoting what was sent. */
export function echoedAnswer(
  answer: Answer,
  request: { readonly headers: Readonly<Record<string, string | undefined>>; readonly body: Buffer },
): Answer {
  if (answer.status < 400) return answer;
  const detail = `${JSON.stringify(request.headers)} ${request.body.toString()}`;
  const said = { ...detailsOf(answer.status, TITLES[answer.status] ?? 'Error'), detail };
  return jsonAnswer(answer.status, said, { ...answer.headers });
}

function detailsOf(status: number, title: string): Record<string, unknown> {
  return { type: `https://httpstatuses.io/${status}`, title, status, traceId: '00-simulated-00' };
}
