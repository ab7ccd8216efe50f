import type { IncomingHttpHeaders } from 'node:http';

/** On whose behalf a request is made, and where. Functions are separated by both. */
export interface Caller {
  /** Twelve digits. */
  readonly accountId: string;
  readonly region: string;
}

const ACCOUNT_ID = /^\d{12}$/;
const REGION = /^[a-z0-9]+(?:-[a-z0-9]+){1,5}$/;
const MAX_REGION_LENGTH = 32;

/**
 * Reads the caller from the credential scope of a signed request: an access key id of twelve digits
 * is the account. What the scope does not say, or says malformed, is the default. The signature is
 * not verified.
 */
export function callerOf(headers: IncomingHttpHeaders, url: string, defaults: Caller): Caller {
  const credential = credentialOf(headers.authorization, url);
  if (credential === undefined) return defaults;
  // ACCESS-KEY-ID/DATE/REGION/SERVICE/aws4_request; asymmetric signatures have no region.
  const parts = credential.split('/', 6);
  const [accessKeyId = '', , region = ''] = parts;
  const hasRegion = parts.length === 5 && region.length <= MAX_REGION_LENGTH && REGION.test(region);
  return {
    accountId: ACCOUNT_ID.test(accessKeyId) ? accessKeyId : defaults.accountId,
    region: hasRegion ? region : defaults.region,
  };
}

function credentialOf(authorization: string | undefined, url: string): string | undefined {
  if (authorization !== undefined) {
    const start = authorization.indexOf('Credential=');
    if (start === -1) return undefined;
    const end = authorization.indexOf(',', start);
    return authorization.slice(start + 'Credential='.length, end === -1 ? undefined : end).trim();
  }
  if (!url.includes('X-Amz-Credential=')) return undefined;
  return new URLSearchParams(url.slice(url.indexOf('?') + 1)).get('X-Amz-Credential') ?? undefined;
}
