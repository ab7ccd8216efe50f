import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { Agent as HttpAgent, get as httpGet, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, get as httpsGet } from 'node:https';
import { join } from 'node:path';
import { InstallError } from './install-error.ts';
import type { MavenArtifact } from './java-client.ts';

const MAVEN_CENTRAL = 'https://repo1.maven.org/maven2';
/** Without a byte for so long a download is given up. */
const IDLE_TIMEOUT_MS = 60_000;
const MAX_REDIRECTS = 5;

/**
 * Address of the Maven repository: `given`, else HEARTH_MAVEN_URL, else the mirror of Maven Central in
 * `~/.m2/settings.xml`, else Maven Central. Without a slash at its end. A mirror that asks for a
 * password is not supported: name one that does not, or put the user into its URL.
 */
export async function mavenRepository(
  given: string | undefined,
  environment: NodeJS.ProcessEnv,
  homeDirectory: string,
): Promise<string> {
  const named = given ?? environment['HEARTH_MAVEN_URL'];
  const url =
    named !== undefined && named !== ''
      ? named
      : (mirrorOfCentral(await settingsText(homeDirectory)) ?? MAVEN_CENTRAL);
  if (!/^https?:$/.test(URL.parse(url)?.protocol ?? '')) {
    throw new InstallError(
      `Cannot use Maven repository as its address must begin with http:// or https://: received ${JSON.stringify(url)}`,
    );
  }
  return url.replace(/\/+$/, '');
}

async function settingsText(homeDirectory: string): Promise<string> {
  return readFile(join(homeDirectory, '.m2', 'settings.xml'), 'utf8').catch(() => '');
}

/** URL of the first `<mirror>` whose `<mirrorOf>` takes in `central`, as Maven reads its settings. */
export function mirrorOfCentral(settings: string): string | undefined {
  const text = settings.replaceAll(/<!--[\s\S]*?-->/g, '');
  for (const [, mirror = ''] of text.matchAll(/<mirror>([\s\S]*?)<\/mirror>/g)) {
    const patterns = (element(mirror, 'mirrorOf') ?? '').split(',').map((name) => name.trim());
    if (patterns.includes('!central')) continue;
    if (!patterns.some((name) => ['*', 'central', 'external:*'].includes(name))) continue;
    const url = element(mirror, 'url');
    if (url !== undefined) return url;
  }
  return undefined;
}

function element(xml: string, name: string): string | undefined {
  const content = new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1]?.trim();
  return content === '' ? undefined : content?.replaceAll('&amp;', '&');
}

/**
 * Downloads an artifact's jar, through the proxy that the environment names (HTTPS_PROXY, HTTP_PROXY,
 * NO_PROXY). Nothing but the bytes of the pinned SHA-256 is accepted, whoever served them. Rejects
 * with an InstallError, or as the signal says.
 */
export async function downloadJar(
  repository: string,
  artifact: MavenArtifact,
  environment: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<Buffer> {
  const { groupId, artifactId, version, sha256, sizeBytes } = artifact;
  const file = `${artifactId}-${version}.jar`;
  const url = `${repository}/${groupId.replaceAll('.', '/')}/${artifactId}/${version}/${file}`;
  let content: Buffer;
  try {
    content = await download(new URL(url), sizeBytes, environment, signal, MAX_REDIRECTS);
  } catch (error) {
    signal.throwIfAborted();
    const reason = error instanceof Error ? error.message : String(error);
    throw new InstallError(`Cannot download ${withoutUser(url)}: ${reason}`, { cause: error });
  }
  const received = createHash('sha256').update(content).digest('hex');
  if (received !== sha256) {
    throw new InstallError(
      `Cannot use ${withoutUser(url)} as its SHA-256 must be ${sha256}: received ${received}`,
    );
  }
  return content;
}

async function download(
  url: URL,
  maxBytes: number,
  environment: NodeJS.ProcessEnv,
  signal: AbortSignal,
  redirectsLeft: number,
): Promise<Buffer> {
  const response = await request(url, environment, signal);
  const { statusCode = 0, headers } = response;
  if (statusCode >= 300 && statusCode < 400 && headers.location !== undefined) {
    response.resume();
    if (redirectsLeft === 0) throw new Error('it redirects too often');
    const next = new URL(headers.location, url);
    if (url.protocol === 'https:' && next.protocol !== 'https:') {
      throw new Error('it redirects from https to another protocol');
    }
    return download(next, maxBytes, environment, signal, redirectsLeft - 1);
  }
  if (statusCode !== 200) {
    response.resume();
    throw new Error(`the server answered ${statusCode}`);
  }
  const parts: Buffer[] = [];
  let size = 0;
  const stream: AsyncIterable<Buffer> = response;
  for await (const part of stream) {
    size += part.length;
    if (size > maxBytes) throw new Error(`it must have ${maxBytes} bytes: received more`);
    parts.push(part);
  }
  return Buffer.concat(parts);
}

function request(
  url: URL,
  environment: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const isSecure = url.protocol === 'https:';
  const agent = isSecure
    ? new HttpsAgent({ proxyEnv: environment })
    : new HttpAgent({ proxyEnv: environment });
  const get = isSecure ? httpsGet : httpGet;
  return new Promise((resolve, reject) => {
    const outgoing = get(url, { agent, signal, timeout: IDLE_TIMEOUT_MS }, resolve);
    outgoing.once('error', reject);
    outgoing.once('timeout', () => {
      outgoing.destroy(new Error(`nothing came for ${IDLE_TIMEOUT_MS / 1_000} s`));
    });
  });
}

/** For messages: a mirror's address may hold a password. */
function withoutUser(url: string): string {
  return url.replace(/\/\/[^/@]*@/, '//');
}
