import { describe, expect, test } from 'vitest';
import type { RuntimeResult } from '../../../server/src/runtime-api/runtime-session.ts';
import { answerOf, errorOf } from '../../contract/answers.ts';
import { NodeRuntime } from './node-runtime.ts';

const node = NodeRuntime.forThisFile();

function streaming(body: string, options = ''): string {
  return `exports.handler = awslambda.streamifyResponse(async (event, stream, context) => { ${body} }${options});`;
}

function textOf(result: RuntimeResult): string {
  if (result.kind !== 'response') throw new Error(`Expected a response: received ${result.kind}`);
  return Buffer.from(result.payload).toString();
}

describe.each(['nodejs22.x', 'nodejs24.x'])('streamed responses on %s', (runtime) => {
  test('chunks are joined, and the type is octet-stream', async () => {
    const launched = await node.ready(
      streaming(
        "stream.write('a'); stream.write(Buffer.from('b')); stream.write(new Uint8Array([99])); stream.end('d');",
      ),
      { runtime },
    );
    for (const _ of [1, 2]) {
      const result = await launched.invoke({});
      expect(textOf(result)).toBe('abcd');
      expect(result).toMatchObject({ contentType: 'application/octet-stream' });
    }
  });

  test('other chunks are made JSON', async () => {
    const launched = await node.ready(streaming('stream.write({ a: 1 }); stream.end([2]);'), {
      runtime,
    });
    expect(textOf(await launched.invoke({}))).toBe('{"a":1}[2]');
  });

  test('the content type can be set before the first write', async () => {
    const launched = await node.ready(
      streaming("stream.setContentType('text/plain'); stream.end('x');"),
      { runtime },
    );
    expect(await launched.invoke({})).toMatchObject({ contentType: 'text/plain' });
  });

  test('after the first write it is too late', async () => {
    const launched = await node.ready(
      streaming("stream.write('x'); stream.setContentType('text/plain');"),
      { runtime },
    );
    expect(errorOf(await launched.invoke({})).body).toMatchObject({
      errorType: 'Runtime.InvalidStreamingOperation',
      errorMessage: 'Cannot set content-type, too late.',
    });
  });

  test('HttpResponseStream puts status and headers and eight NULs before the first chunk', async () => {
    const launched = await node.ready(
      streaming(`
        stream = awslambda.HttpResponseStream.from(stream, { statusCode: 201, headers: { a: 'b' } });
        stream.write('x');
        stream.end();`),
      { runtime },
    );
    const result = await launched.invoke({});
    expect(textOf(result)).toBe(`{"statusCode":201,"headers":{"a":"b"}}${'\0'.repeat(8)}x`);
    expect(result).toMatchObject({
      contentType: 'application/vnd.awslambda.http-integration-response',
    });
  });

  test('more than the socket takes waits for the reader', async () => {
    const launched = await node.ready(
      streaming(
        `const { pipeline } = require('node:stream/promises');
         const { Readable } = require('node:stream');
         const chunks = Array.from({ length: 80 }, () => Buffer.alloc(65_536, 'x'));
         await pipeline(Readable.from(chunks), stream);`,
        ', { highWaterMark: 1000 }',
      ),
      { runtime },
    );
    expect(textOf(await launched.invoke({}))).toHaveLength(80 * 65_536);
  });

  test('an error before the first write is an error', async () => {
    const launched = await node.ready(streaming("throw new TypeError('early');"), { runtime });
    expect(errorOf(await launched.invoke({}))).toMatchObject({
      errorType: 'TypeError',
      fatal: false,
    });
  });

  test('an error after it is an error, and the next event is taken', async () => {
    const launched = await node.ready(
      streaming("stream.write('x'); if (event.fail) throw new TypeError('late'); stream.end();"),
      { runtime },
    );
    expect(errorOf(await launched.invoke({ fail: true })).body).toMatchObject({
      errorType: 'TypeError',
      errorMessage: 'late',
    });
    expect(textOf(await launched.invoke({}))).toBe('x');
  });

  test.each([
    [
      'a stream that is not ended',
      'async (event, stream) => { stream.write("x"); }',
      'Response stream is not finished.',
    ],
    [
      'a handler that is not async',
      '(event, stream) => { stream.end("x"); }',
      'Streaming does not support non-async handlers.',
    ],
  ])('%s is an error', async (_, handler, message) => {
    const launched = await node.ready(
      `exports.handler = awslambda.streamifyResponse(${handler});`,
      { runtime },
    );
    expect(errorOf(await launched.invoke({})).body).toMatchObject({ errorMessage: message });
  });

  test('a return value is ignored with a warning', async () => {
    const launched = await node.ready(streaming("stream.end('x'); return 5;"), { runtime });
    expect(textOf(await launched.invoke({}))).toBe('x');
    const warning = await launched.logged('Streaming handlers ignore return values.');
    expect(warning.level).toBe('WARN');
  });

  test('a handler that never settles is a NodeJsExit', async () => {
    const launched = await node.ready(
      streaming("stream.write('x'); await new Promise(() => {});"),
      { runtime },
    );
    expect(errorOf(await launched.invoke({})).errorType).toBe('Runtime.NodeJsExit');
  });

  test('an exception on the side ends the stream, then the process', async () => {
    const launched = await node.ready(
      streaming(
        "stream.write('x'); setImmediate(() => { throw new Error('aside'); }); await new Promise(() => {});",
      ),
      { runtime },
    );
    expect(errorOf(await launched.invoke({}))).toMatchObject({ errorType: 'Error', fatal: true });
    expect(await launched.exited).toEqual({ code: 129, signal: undefined });
  });
});

test('an unknown kind of streaming is refused', async () => {
  const failed = await node.failedInit({
    'index.js': `exports.handler = async () => {};
      exports.handler[Symbol.for('aws.lambda.runtime.handler.streaming')] = 'request';`,
  });
  expect(failed).toMatchObject({ errorType: 'Runtime.MalformedStreamingHandler', code: 1 });
  expect(failed.body['errorMessage']).toBe('Only response streaming is supported.');
});

test('the global awslambda can be left out', async () => {
  const launched = await node.ready('exports.handler = async () => typeof awslambda;', {
    environment: { AWS_LAMBDA_NODEJS_NO_GLOBAL_AWSLAMBDA: 'true' },
  });
  expect(answerOf(await launched.invoke({}))).toBe('undefined');
});
