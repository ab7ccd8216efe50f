import { describe, expect, test } from 'vitest';
import { NodeRuntime } from './node-runtime.ts';

const node = NodeRuntime.forThisFile();
const REQUEST_ID = '6bc28136-xmpl-4365-b021-0ce6b2e64ab0';

describe('text logs', () => {
  test.each([
    ['log', 'INFO'],
    ['info', 'INFO'],
    ['debug', 'DEBUG'],
    ['trace', 'TRACE'],
    ['warn', 'WARN'],
    ['error', 'ERROR'],
    ['fatal', 'FATAL'],
  ])('console.%s is a line of level %s', async (method, level) => {
    const launched = await node.ready(
      `exports.handler = async () => console.${method}('%s is', 'it', { a: 1 });`,
    );
    await launched.invoke({});
    const event = await launched.logged('it is');
    expect(event).toMatchObject({ level, format: 'text' });
    expect(event.message).toMatch(
      new RegExp(
        `^\\d{4}-\\d\\d-\\d\\dT[\\d:.]+Z\\t${REQUEST_ID}\\t${level}\\tit is \\{ a: 1 \\}$`,
      ),
    );
    expect(event.timestampMs).toBe(Date.parse(event.message.split('\t')[0] ?? ''));
  });

  test('during init the request id is undefined', async () => {
    const launched = await node.ready("console.log('loading'); exports.handler = async () => 1;");
    expect((await launched.logged('loading')).message).toMatch(/Z\tundefined\tINFO\tloading$/);
  });

  test('warnings of the server come first', async () => {
    const launched = await node.ready("console.log('loading'); exports.handler = async () => 1;", {
      warnings: ['first', 'second'],
    });
    await launched.logged('loading');
    expect(launched.logs.map(({ level, message }) => [level, message.split('\t')[3]])).toEqual([
      ['WARN', 'first'],
      ['WARN', 'second'],
      ['INFO', 'loading'],
    ]);
  });

  test('what is written to standard output and error stays there', async () => {
    const launched = await node.ready(
      "exports.handler = async () => { process.stdout.write('out\\n'); process.stderr.write('err\\n'); };",
    );
    await launched.invoke({});
    launched.session[Symbol.dispose]();
    expect(await launched.stdout()).toBe('out\n');
    expect(await launched.stderr()).toBe('err\n');
    expect(launched.logs).toEqual([]);
  });

  test('a log larger than the pipe is whole', async () => {
    const launched = await node.ready(
      "exports.handler = async () => console.log('x'.repeat(900_000));",
    );
    await launched.invoke({});
    expect((await launched.logged('xxx')).message).toHaveLength(
      900_000 + `2026-01-01T00:00:00.000Z\t${REQUEST_ID}\tINFO\t`.length,
    );
  });
});

describe('JSON logs', () => {
  const environment = { AWS_LAMBDA_LOG_FORMAT: 'JSON', AWS_LAMBDA_LOG_LEVEL: 'INFO' };

  async function logged(body: string, level?: string): Promise<Record<string, unknown>[]> {
    const launched = await node.ready(
      `exports.handler = async () => { ${body} console.error('end'); };`,
      {
        environment:
          level === undefined ? environment : { ...environment, AWS_LAMBDA_LOG_LEVEL: level },
      },
    );
    await launched.invoke({});
    await launched.logged('end');
    return launched.logs.slice(0, -1).map((event) => JSON.parse(event.message));
  }

  test('a message is an object with time, level and request', async () => {
    const [event] = await logged("console.log('a %s', 'b');");
    expect(event).toEqual({
      timestamp: expect.stringMatching(/^\d{4}-/),
      level: 'INFO',
      requestId: REQUEST_ID,
      message: 'a b',
    });
  });

  test('an object stays an object, and what cannot be JSON becomes text', async () => {
    const events = await logged('console.warn({ a: [1] }); console.warn(1n);');
    expect(events).toMatchObject([
      { level: 'WARN', message: { a: [1] } },
      { level: 'WARN', message: '1n' },
    ]);
  });

  test('an error has its type, message and stack', async () => {
    const events = await logged(
      "console.error(new TypeError('x')); console.error('and', new TypeError('y'));",
    );
    expect(events).toMatchObject([
      { message: { errorType: 'TypeError', errorMessage: 'x', stackTrace: expect.any(Array) } },
      { errorType: 'TypeError', errorMessage: 'y', stackTrace: expect.any(Array) },
    ]);
  });

  test('levels below the one that is set are left out', async () => {
    expect(await logged("console.debug('no'); console.log('yes');")).toMatchObject([
      { message: 'yes' },
    ]);
    expect(await logged("console.info('no'); console.warn('yes');", 'WARN')).toMatchObject([
      { message: 'yes' },
    ]);
  });

  test('the error of an event is one object', async () => {
    const launched = await node.ready(
      "exports.handler = async () => { throw new TypeError('x'); };",
      {
        environment,
      },
    );
    await launched.invoke({});
    const event = await launched.logged('TypeError');
    expect(event).toMatchObject({ level: 'ERROR', format: 'json' });
    expect(JSON.parse(event.message)).toMatchObject({
      level: 'ERROR',
      message: { errorType: 'TypeError', errorMessage: 'x' },
    });
  });
});
