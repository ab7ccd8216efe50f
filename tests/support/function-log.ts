/**
 * Settles when a function has printed a line that holds `text`, now or earlier; what a function
 * prints is the one way out of a sandbox that is always open.
 *
 * @param endpoint `http://127.0.0.1:49152`
 */
export async function printed(endpoint: string, functionName: string, text: string): Promise<void> {
  const url = new URL('/_hearth/logs', endpoint);
  url.searchParams.set('group', `/aws/lambda/${functionName}`);
  url.searchParams.set('follow', 'true');
  const stop = new AbortController();
  const response = await fetch(url, { signal: stop.signal });
  if (response.body === null) throw new Error('the log must have a body');
  let received = '';
  try {
    for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
      received += chunk;
      if (received.includes(text)) return;
    }
  } finally {
    stop.abort();
  }
  throw new Error(`the log ended without ${text}: ${received}`);
}
