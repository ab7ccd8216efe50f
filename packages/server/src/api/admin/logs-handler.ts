import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { LogStore, StoredLogEvent } from '../../logs/log-store.ts';
import { sendJson } from './json-response.ts';
import { withoutOverlap } from './log-overlap.ts';
import type { LogsRequest } from './logs-query.ts';
import { parseLogsRequest } from './logs-query.ts';

export interface LogsHandlerOptions {
  readonly logs: LogStore;
  /** Account and region of requests that name none. */
  readonly accountId: string;
  readonly region: string;
  /** Ends every follower; aborted when the server stops. */
  readonly signal: AbortSignal;
}

/** Bytes that wait for a follower that does not read; past it events are left out and counted. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024;
/** Live events that wait until the stored ones are sent. */
const MAX_WAITING_EVENTS = 10_000;

/**
 * Serves `GET /_hearth/logs?group=…` with the optional parameters `account`, `region`, `limit` (the
 * newest so many; 1,000 by default, 10,000 at most), `since` (epoch milliseconds) and `requestId`.
 * Answers `{"events":[{timestampMs, logStreamName, requestId?, message}]}`, oldest first. With
 * `follow=true` it answers one such event per line and goes on with new ones until either side
 * ends; a line `{"droppedEvents":n}` stands for what a slow reader missed. A mistake is 400 with
 * `{"message"}`.
 */
export function createLogsHandler(
  options: LogsHandlerOptions,
): (request: IncomingMessage, response: ServerResponse, url: URL) => Promise<void> {
  return async (request, response, url) => {
    if (request.method !== 'GET') {
      sendJson(response, 405, { message: 'Only GET is answered here' });
      return;
    }
    const asked = parseLogsRequest(url.searchParams, options);
    if (typeof asked === 'string') sendJson(response, 400, { message: asked });
    else if (asked.isFollowing) await follow(asked, options, response);
    else await sendStored(await options.logs.read(asked.group, asked.query), response);
  };
}

async function sendStored(
  events: readonly StoredLogEvent[],
  response: ServerResponse,
): Promise<void> {
  const closed = closeSignal(response);
  writeHead(response, 'application/json');
  response.write('{"events":[');
  for (const [index, event] of events.entries()) {
    if (closed.aborted) return;
    await write(response, (index === 0 ? '' : ',') + JSON.stringify(wireEvent(event)), closed);
  }
  response.end(']}\n');
}

async function follow(
  { group, query }: LogsRequest,
  { logs, signal }: LogsHandlerOptions,
  response: ServerResponse,
): Promise<void> {
  const ended = AbortSignal.any([signal, closeSignal(response)]);
  if (ended.aborted) {
    response.end();
    return;
  }
  let waiting: StoredLogEvent[] | undefined = [];
  let droppedEvents = 0;
  const reportDropped = (): void => {
    if (droppedEvents > 0 && !response.writableEnded) {
      response.write(`${JSON.stringify({ droppedEvents })}\n`);
    }
    droppedEvents = 0;
  };
  const send = (event: StoredLogEvent): void => {
    if (response.writableLength > MAX_WAITING_BYTES) {
      droppedEvents += 1;
      return;
    }
    reportDropped();
    response.write(`${JSON.stringify(wireEvent(event))}\n`);
  };
  // Before the read: an event that is written between the two would otherwise be missed.
  const unfollow = logs.follow(group, (event) => {
    if (query.requestId !== undefined && event.requestId !== query.requestId) return;
    if (waiting === undefined) send(event);
    else if (waiting.length < MAX_WAITING_EVENTS) waiting.push(event);
    else droppedEvents += 1;
  });
  try {
    const stored = await logs.read(group, query);
    writeHead(response, 'application/x-ndjson');
    // The reader learns at once that it is connected, also where nothing has been logged.
    response.flushHeaders();
    for (const event of stored) {
      if (ended.aborted) break;
      await write(response, `${JSON.stringify(wireEvent(event))}\n`, ended);
    }
    const missed = withoutOverlap(stored, waiting);
    waiting = undefined;
    missed.forEach(send);
    response.on('drain', reportDropped);
    if (!ended.aborted) await once(ended, 'abort');
  } finally {
    unfollow();
    response.end();
  }
}

function writeHead(response: ServerResponse, contentType: string): void {
  response.writeHead(200, {
    'content-type': contentType,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  });
}

/** Writes and waits until the reader keeps up or is gone. */
async function write(response: ServerResponse, text: string, gone: AbortSignal): Promise<void> {
  if (response.write(text) || gone.aborted) return;
  await once(response, 'drain', { signal: gone }).catch((error: unknown) => {
    if (!gone.aborted) throw error;
  });
}

/** Aborted once the connection is gone. */
function closeSignal(response: ServerResponse): AbortSignal {
  const controller = new AbortController();
  if (response.destroyed) controller.abort();
  else response.once('close', () => controller.abort());
  return controller.signal;
}

function wireEvent({ timestampMs, logStreamName, requestId, message }: StoredLogEvent): object {
  return { timestampMs, logStreamName, requestId, message };
}
