import type { LogGroupIdentity, LogQuery } from '../../logs/log-store.ts';

/** A checked request for log events. */
export interface LogsRequest {
  readonly group: LogGroupIdentity;
  readonly query: LogQuery;
  readonly isFollowing: boolean;
}

export const DEFAULT_LIMIT = 1_000;
export const MAX_LIMIT = 10_000;

const PARAMETERS = ['account', 'region', 'group', 'limit', 'since', 'requestId', 'follow'] as const;
type Parameter = (typeof PARAMETERS)[number];

const RULES: Readonly<Record<Parameter, { pattern: RegExp; wanted: string }>> = {
  account: { pattern: /^\d{12}$/, wanted: 'twelve digits' },
  region: { pattern: /^[a-z0-9-]{1,40}$/, wanted: 'a region name' },
  // The characters that CloudWatch Logs allows in the name of a log group.
  group: { pattern: /^[.\-_/#A-Za-z0-9]{1,512}$/, wanted: 'the name of a log group' },
  limit: { pattern: /^[1-9]\d{0,4}$/, wanted: `1-${MAX_LIMIT}` },
  since: { pattern: /^\d{1,15}$/, wanted: 'milliseconds since the epoch' },
  requestId: { pattern: /^[A-Za-z0-9-]{1,64}$/, wanted: 'a request id' },
  follow: { pattern: /^(true|false)$/, wanted: 'true or false' },
};

/** Reads the parameters; a text says what is wrong with them. */
export function parseLogsRequest(
  parameters: URLSearchParams,
  defaults: { readonly accountId: string; readonly region: string },
): LogsRequest | string {
  for (const name of PARAMETERS) {
    const values = parameters.getAll(name);
    const isWrong = values.length > 1 || values.some((value) => !RULES[name].pattern.test(value));
    if (isWrong) return `Cannot read logs as ${name} must be ${RULES[name].wanted}`;
  }
  const limit = Number(parameters.get('limit') ?? DEFAULT_LIMIT);
  if (limit > MAX_LIMIT) return `Cannot read logs as limit must be ${RULES.limit.wanted}`;
  const logGroupName = parameters.get('group');
  if (logGroupName === null) return `Cannot read logs as group must be ${RULES.group.wanted}`;
  const since = parameters.get('since');
  const requestId = parameters.get('requestId');
  return {
    group: {
      accountId: parameters.get('account') ?? defaults.accountId,
      region: parameters.get('region') ?? defaults.region,
      logGroupName,
    },
    query: {
      limit,
      ...(since === null ? {} : { fromMs: Number(since) }),
      ...(requestId === null ? {} : { requestId }),
    },
    isFollowing: parameters.get('follow') === 'true',
  };
}
