import type { ServerResponse } from 'node:http';

/** Answers with one line of text. */
export function sendLine(response: ServerResponse, status: number, line: string): void {
  const body = Buffer.from(`${line}\n`);
  // What was not read of the request would be taken for the next one.
  if (!response.req.complete) response.setHeader('Connection', 'close');
  response.writeHead(status, {
    'Content-Type': 'text/plain; charset=utf-8',
    'Content-Length': body.length,
  });
  response.end(body);
}
