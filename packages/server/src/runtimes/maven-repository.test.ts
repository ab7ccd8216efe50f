import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { InstallError } from './install-error.ts';
import { PlayedRepository } from './maven-fixture.ts';
import { downloadJar, mavenRepository, mirrorOfCentral } from './maven-repository.ts';

const CENTRAL = 'https://repo1.maven.org/maven2';
const NOT_ABORTED = new AbortController().signal;

function mirror(url: string, of: string): string {
  return `<mirror><url>${url}</url><mirrorOf>${of}</mirrorOf></mirror>`;
}

describe('which repository is used', () => {
  let home = '';
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'hearth-home-'));
  });
  afterEach(() => rmSync(home, { recursive: true }));

  function settings(xml: string): void {
    mkdirSync(join(home, '.m2'));
    writeFileSync(join(home, '.m2/settings.xml'), xml);
  }

  test('Maven Central, where nothing else is said', async () => {
    expect(await mavenRepository(undefined, {}, home)).toBe(CENTRAL);
    expect(await mavenRepository(undefined, { HEARTH_MAVEN_URL: '' }, home)).toBe(CENTRAL);
  });

  test("the mirror in the user's Maven settings", async () => {
    settings(
      '<settings><mirrors><mirror><id>a</id><url>http://mirror/all/</url><mirrorOf>*</mirrorOf></mirror></mirrors></settings>',
    );
    expect(await mavenRepository(undefined, {}, home)).toBe('http://mirror/all');
  });

  test('the variable before the mirror, the option before both', async () => {
    settings('<mirror><url>http://mirror</url><mirrorOf>central</mirrorOf></mirror>');
    const environment = { HEARTH_MAVEN_URL: 'http://variable/' };
    expect(await mavenRepository(undefined, environment, home)).toBe('http://variable');
    expect(await mavenRepository('http://option//', environment, home)).toBe('http://option');
  });

  test.each(['ftp://mirror/', 'file:///etc', 'mirror', 'javascript:x'])(
    'an address that is not of the web is refused: %s',
    async (url) => {
      const failure = mavenRepository(url, {}, home);
      await expect(failure).rejects.toThrow(InstallError);
      await expect(failure).rejects.toThrow(/must begin with http:\/\/ or https:\/\/: received "/);
    },
  );

  test.each([
    ['central', 'http://m'],
    ['*', 'http://m'],
    ['external:*', 'http://m'],
    ['other, central', 'http://m'],
    ['*,!central', undefined],
    ['other', undefined],
  ])('a mirror of %s', (mirrorOf, expected) => {
    const xml = `<mirror><mirrorOf>${mirrorOf}</mirrorOf><url> http://m </url></mirror>`;
    expect(mirrorOfCentral(xml)).toBe(expected);
  });

  test('the first mirror that fits, none that is commented out, entities read', () => {
    const xml = `<!-- ${mirror('http://old', '*')} -->${mirror('http://no', 'x')}${mirror('http://a?b=1&amp;c', '*')}${mirror('http://late', '*')}`;
    expect(mirrorOfCentral(xml)).toBe('http://a?b=1&c');
    expect(mirrorOfCentral('<mirror><mirrorOf>*</mirrorOf></mirror>')).toBeUndefined();
    expect(mirrorOfCentral('no xml')).toBeUndefined();
  });
});

describe('a download', () => {
  let repository: PlayedRepository;
  beforeEach(async () => {
    repository = await PlayedRepository.start();
  });
  afterEach(() => repository[Symbol.asyncDispose]());

  const CONTENT = Buffer.from('the jar');

  test('comes from where Maven has it', async () => {
    const artifact = repository.publish('thing', CONTENT);
    expect(await downloadJar(repository.url, artifact, {}, NOT_ABORTED)).toEqual(CONTENT);
    expect(repository.asked).toEqual(['/maven2/com/example/thing/1.0/thing-1.0.jar']);
  });

  test('follows redirects, as many as five', async () => {
    const artifact = repository.publish('thing', CONTENT);
    let left = 5;
    repository.onRequest = (request, response) => {
      if (left === 0) return false;
      left -= 1;
      response.writeHead(302, { location: request.url }).end();
      return true;
    };
    expect(await downloadJar(repository.url, artifact, {}, NOT_ABORTED)).toEqual(CONTENT);
    left = 6;
    await expect(downloadJar(repository.url, artifact, {}, NOT_ABORTED)).rejects.toThrow(
      'it redirects too often',
    );
  });

  test('is refused where its SHA-256 is not the pinned one', async () => {
    const artifact = repository.publish('thing', CONTENT);
    repository.publish('thing', Buffer.from('the JAR'));
    const failure = downloadJar(repository.url, artifact, {}, NOT_ABORTED);
    await expect(failure).rejects.toThrow(InstallError);
    await expect(failure).rejects.toThrow(
      /^Cannot use http.*thing-1\.0\.jar as its SHA-256 must be [0-9a-f]{64}: received [0-9a-f]{64}$/,
    );
  });

  test('is given up when it grows longer than the pinned one', async () => {
    const artifact = repository.publish('thing', CONTENT);
    repository.publish('thing', Buffer.alloc(1_000_000));
    await expect(downloadJar(repository.url, artifact, {}, NOT_ABORTED)).rejects.toThrow(
      /thing-1\.0\.jar: it must have 7 bytes: received more$/,
    );
  });

  test('that is cut off is no jar', async () => {
    const artifact = repository.publish('thing', CONTENT);
    repository.onRequest = (_request, response) => {
      response.writeHead(200, { 'content-length': '7' });
      response.write('the', () => response.destroy());
      return true;
    };
    await expect(downloadJar(repository.url, artifact, {}, NOT_ABORTED)).rejects.toThrow(
      InstallError,
    );
  });

  test('that is not there, or that nobody serves, is one line', async () => {
    const artifact = repository.publish('thing', CONTENT);
    repository.files.clear();
    await expect(downloadJar(repository.url, artifact, {}, NOT_ABORTED)).rejects.toThrow(
      /^Cannot download http.*thing-1\.0\.jar: the server answered 404$/,
    );
    await expect(downloadJar('http://127.0.0.1:1/m', artifact, {}, NOT_ABORTED)).rejects.toThrow(
      /^Cannot download http:\/\/127\.0\.0\.1:1\/.*ECONNREFUSED.*$/,
    );
  });

  test('a password in the address stays out of messages', async () => {
    const artifact = repository.publish('thing', CONTENT);
    repository.files.clear();
    const url = repository.url.replace('//', '//user:secret@');
    const failure = downloadJar(url, artifact, {}, NOT_ABORTED);
    await expect(failure).rejects.toThrow('answered 404');
    await expect(failure).rejects.not.toThrow('secret');
  });

  test('goes through the proxy that the environment names', async () => {
    const artifact = repository.publish('thing', CONTENT);
    repository.onRequest = (request, response) => {
      if (request.url !== `http://maven.invalid/maven2/com/example/thing/1.0/thing-1.0.jar`) {
        return false;
      }
      response.end(CONTENT);
      return true;
    };
    const environment = { HTTP_PROXY: new URL(repository.url).origin };
    expect(
      await downloadJar('http://maven.invalid/maven2', artifact, environment, NOT_ABORTED),
    ).toEqual(CONTENT);
  });

  test('ends when it is aborted', async () => {
    const artifact = repository.publish('thing', CONTENT);
    const stop = new AbortController();
    repository.onRequest = () => {
      stop.abort(new Error('enough'));
      return true;
    };
    await expect(downloadJar(repository.url, artifact, {}, stop.signal)).rejects.toThrow('enough');
  });
});
