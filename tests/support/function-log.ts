/**
 * Settles when a function has printed `text`, now or earlier, with the first group where it is a
 * pattern; what a function prints is the one way out of a sandbox that is always open.
 *
 * @param endpoint `http://127.0.0.1:49152`
 */
export async function printed(
  endpoint: string,
  functionName: string,
  text: string | RegExp,
): Promise<string> {
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
      const found = typeof text === 'string' ? received.includes(text) : text.exec(received);
      if (found === true) return '';
      if (found) return found[1] ?? '';
    }
  } finally {
    stop.abort();
  }
  throw new Error(`the log ended without ${String(text)}: ${received}`);
}
