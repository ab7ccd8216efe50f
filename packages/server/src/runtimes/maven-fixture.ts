import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { ZipFile } from 'yazl';
import type { MavenArtifact } from './java-client.ts';

/** A Maven repository on a free port of 127.0.0.1 that serves what it is given, by path. */
export class PlayedRepository implements AsyncDisposable {
  readonly files = new Map<string, Buffer>();
  /** Paths in the order in which they were asked for. */
  readonly asked: string[] = [];
  /** Answers a request instead; true where it did. */
  onRequest: ((request: IncomingMessage, response: ServerResponse) => boolean) | undefined;
  readonly #server = createServer((request, response) => {
    const path = request.url ?? '';
    this.asked.push(path);
    if (this.onRequest?.(request, response) === true) return;
    const content = this.files.get(path);
    response.statusCode = content === undefined ? 404 : 200;
    response.end(content);
  });

  static async start(): Promise<PlayedRepository> {
    const repository = new PlayedRepository();
    repository.#server.listen(0, '127.0.0.1');
    await once(repository.#server, 'listening');
    return repository;
  }

  /** `http://127.0.0.1:49152/maven2` */
  get url(): string {
    const address = this.#server.address();
    return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/maven2`;
  }

  /** Serves `content`; the artifact that it is. */
  publish(artifactId: string, content: Buffer): MavenArtifact {
    this.files.set(`/maven2/com/example/${artifactId}/1.0/${artifactId}-1.0.jar`, content);
    return {
      groupId: 'com.example',
      artifactId,
      version: '1.0',
      sha256: createHash('sha256').update(content).digest('hex'),
      sizeBytes: content.length,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

/** A jar with the given texts, by path. */
export async function jarOf(files: Readonly<Record<string, string>>): Promise<Buffer> {
  const jar = new ZipFile();
  for (const [path, text] of Object.entries(files)) jar.addBuffer(Buffer.from(text), path);
  jar.end();
  const parts: Buffer[] = [];
  for await (const part of jar.outputStream) parts.push(part as Buffer);
  return Buffer.concat(parts);
}
