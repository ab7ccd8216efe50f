import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseSubscription } from './subscription-request.ts';

const VALID = {
  schemaVersion: '2025-01-29',
  types: ['platform', 'function', 'extension'],
  destination: { protocol: 'HTTP', URI: 'http://sandbox.localdomain:8080/path?x=1' },
};

function parse(body: unknown, api: 'telemetry' | 'logs' = 'telemetry') {
  return parseSubscription(Buffer.from(JSON.stringify(body)), api);
}

function faults(change: object, api: 'telemetry' | 'logs' = 'telemetry'): string | undefined {
  const parsed = parse({ ...VALID, ...change }, api);
  return parsed.kind === 'invalid' ? parsed.message : undefined;
}

describe('a subscription', () => {
  test('has the defaults of the guide where it says nothing', () => {
    expect(parse(VALID)).toEqual({
      kind: 'valid',
      subscription: {
        api: 'telemetry',
        schema: '2025-01-29',
        types: ['platform', 'function', 'extension'],
        buffering: { maxItems: 10_000, maxBytes: 262_144, timeoutMs: 1_000 },
        destination: {
          protocol: 'HTTP',
          method: 'POST',
          authority: 'sandbox.localdomain:8080',
          port: 8080,
          path: '/path?x=1',
        },
      },
    });
  });

  test('can be for TCP', () => {
    const parsed = parse({ ...VALID, destination: { protocol: 'TCP', port: 4243 } });
    expect(parsed).toMatchObject({
      subscription: { destination: { protocol: 'TCP', port: 4243 } },
    });
  });

  test('takes the ends of each range and nothing beyond', () => {
    const ranges = {
      maxItems: [1_000, 10_000],
      maxBytes: [262_144, 1_048_576],
      timeoutMs: [25, 30_000],
    };
    for (const [name, [least = 0, most = 0]] of Object.entries(ranges)) {
      for (const good of [least, most])
        expect(faults({ buffering: { [name]: good } })).toBeUndefined();
      for (const bad of [least - 1, most + 1, least + 0.5, '1000', true]) {
        expect(faults({ buffering: { [name]: bad } })).toBe(
          `buffering.${name} must be an integer between ${least} and ${most}`,
        );
      }
    }
  });

  test('a type that is named twice is subscribed once', () => {
    expect(parse({ ...VALID, types: ['function', 'function'] })).toMatchObject({
      subscription: { types: ['function'] },
    });
  });

  test('each API has its own schemas, and only that of logs has a default', () => {
    const without = { schemaVersion: undefined };
    expect(faults(without)).toBe('schemaVersion must be one of 2022-07-01, 2022-12-13, 2025-01-29');
    expect(parse({ ...VALID, ...without }, 'logs')).toMatchObject({
      subscription: { schema: '2020-08-15' },
    });
    expect(faults({}, 'logs')).toBe('schemaVersion must be one of 2020-08-15, 2021-03-18');
    for (const schemaVersion of ['2022-07-01', '2022-12-13', '2025-01-29']) {
      expect(faults({ schemaVersion })).toBeUndefined();
    }
  });

  test('all faults are listed, as AWS lists them', () => {
    expect(
      faults({ types: [], destination: { protocol: 'HTTP', URI: 'http://sandbox.localdomain' } }),
    ).toBe('types should not be empty; URI port is not provided');
  });

  test.each([
    ['types', { types: ['platform', 'secret'] }],
    ['types', { types: 'platform' }],
    ['types', { types: undefined }],
    ['destination', { destination: undefined }],
    ['destination.protocol', { destination: { protocol: 'UDP', port: 1 } }],
    ['destination.method', { destination: { ...VALID.destination, method: 'DELETE' } }],
    ['destination.encoding', { destination: { ...VALID.destination, encoding: 'XML' } }],
    ['URI is not provided', { destination: { protocol: 'HTTP' } }],
    ['port is not provided', { destination: { protocol: 'TCP' } }],
    ['port must be', { destination: { protocol: 'TCP', port: 0 } }],
    ['port must be', { destination: { protocol: 'TCP', port: 65_536 } }],
    ['port must be', { destination: { protocol: 'TCP', port: 1.5 } }],
    ['port 9001 is reserved', { destination: { protocol: 'TCP', port: 9001 } }],
    ['buffering must be', { buffering: [] }],
  ])('is refused for its %s', (word, change) => {
    expect(faults(change)).toContain(word);
  });

  test.each(['', 'null', '[]', '"x"', '{', '{"types":'])('a body %j is refused', (text) => {
    expect(parseSubscription(Buffer.from(text), 'telemetry')).toEqual({
      kind: 'invalid',
      message: 'the body is not a JSON object',
    });
  });
});

describe('the destination is the sandbox and nothing else', () => {
  test.each([
    'http://169.254.169.254:80/latest/meta-data',
    'http://example.com:8080/',
    'http://sandbox.localdomain.example.com:8080/',
    'http://127.0.0.2:8080/',
    'http://0x7f000001:8080/',
    'http://2130706433:8080/',
    'http://[::1]:8080/',
    'http://sandbox.localdomain@example.com:8080/',
    'http://user:pass@sandbox.localdomain:8080/',
    'https://sandbox.localdomain:8080/',
    'http://sandbox.localdomain:8080/\r\nX: y',
    'http://sandbox.localdomain:8080/a b',
    'http://sandbox.localdomain:8080#f',
    'http://sandbox.localdomain:8080\\@example.com/',
    'http://sandbox.localdomain:9001/2018-06-01/runtime/init/error',
    'http://sandbox.localdomain:99999/',
    'http://sandbox.localdomain:/',
    'file:///etc/passwd',
    ' http://sandbox.localdomain:8080',
    `http://sandbox.localdomain:8080/${'a'.repeat(3_000)}`,
  ])('%s is refused', (URI) => {
    expect(faults({ destination: { protocol: 'HTTP', URI } })).toMatch(/URI|port/);
  });

  test.each([
    'http://sandbox.localdomain:8080',
    'http://sandbox:8080/',
    'http://localhost:8080/x',
    'http://127.0.0.1:80',
    'http://SANDBOX.localdomain:1/',
  ])('%s is taken', (URI) => {
    expect(faults({ destination: { protocol: 'HTTP', URI } })).toBeUndefined();
  });

  test('whatever is sent, what is taken has a port of the sandbox and a path for a request line', () => {
    const URI = fc.oneof(
      fc.webUrl({ withQueryParameters: true, withFragments: true }),
      fc.string().map((rest) => `http://sandbox.localdomain:8080/${rest}`),
      fc.tuple(fc.string(), fc.nat(70_000)).map(([host, port]) => `http://${host}:${port}/`),
    );
    fc.assert(
      fc.property(URI, (uri) => {
        const parsed = parse({ ...VALID, destination: { protocol: 'HTTP', URI: uri } });
        if (parsed.kind === 'invalid') return;
        const { destination } = parsed.subscription;
        if (destination.protocol !== 'HTTP') throw new Error('another protocol than was asked for');
        expect(destination.port).toBeGreaterThan(0);
        expect(destination.port).toBeLessThan(65_536);
        expect(destination.path).toMatch(/^\/[\x21-\x7e]*$/);
        expect(destination.authority).toMatch(
          /^(?:sandbox\.localdomain|sandbox|localhost|127\.0\.0\.1):\d+$/i,
        );
      }),
    );
  });

  test('any JSON at all is answered, not thrown at', () => {
    fc.assert(
      fc.property(
        fc.json(),
        fc.constantFrom('telemetry' as const, 'logs' as const),
        (text, api) => {
          expect(['valid', 'invalid']).toContain(parseSubscription(Buffer.from(text), api).kind);
        },
      ),
    );
  });
});
