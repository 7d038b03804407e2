/** The image's HEALTHCHECK: does the worker's HTTP face say that it lives? Exit 0 or 1. */
const address = process.env.HTTP_ADDRESS ?? '127.0.0.1:8080';
const at = address.lastIndexOf(':');
const host = address.slice(0, at);
const any = host === '0.0.0.0' || host === '[::]';
const url = `http://${any ? '127.0.0.1' : host}:${address.slice(at + 1)}/healthz`;
const answer = await fetch(url, { signal: AbortSignal.timeout(4_000) }).catch(() => null);
process.exitCode = answer?.ok === true ? 0 : 1;
