/** Are the settings there that a mirror needs, and do they mean what their author thinks? */
import { isLoopback } from '../../config/addresses.ts';
import type { Config } from '../../config/settings.ts';
import { fault, type Outcome, ok, warning } from './finding.ts';

/** The settings have been parsed by now: a bad one ends the program before. This finds what is missing. */
export function checkSettings(config: Config): Outcome {
  const { apiUrl } = config;
  if (apiUrl === null) {
    return fault(
      'CLIENTS_API_URL is not set',
      'Set it to the base URL of the Clients API, without /clients.',
    );
  }
  const { protocol, hostname, pathname } = new URL(apiUrl);
  if (pathname.endsWith('/clients')) {
    return warning(
      'CLIENTS_API_URL ends in /clients, and /clients is appended to it',
      'Leave /clients out, unless the address is really …/clients/clients.',
    );
  }
  if (protocol === 'http:' && !isLoopback(hostname.replace(/^\[|\]$/g, ''))) {
    return warning(
      'CLIENTS_API_URL is http: the token can be read on its way',
      'Use https, if the API offers it.',
    );
  }
  return ok(`complete, the API is at ${apiUrl}`);
}
