import { readdir, readFile } from 'node:fs/promises';
import type { CreateFunctionCommandInput, LambdaClient } from '@aws-sdk/client-lambda';
import type { TestContext } from 'vitest';
import type { SandboxEnforcement } from '../../packages/server/src/sandbox/sandbox.ts';
import { deploy, invoke } from './function.ts';
import { findPython } from './python.ts';
import { startTestServer, type TestServer } from './server.ts';

const NEIGHBOUR = 'neighbour';
const NEIGHBOUR_CODE = `
const { setTimeout: sleep } = require('node:timers/promises');
let calls = 0;
exports.handler = async () => {
  await sleep(10);
  return ++calls;
};`;

const python = await findPython();

type Sources = Readonly<Record<string, string | Buffer>>;
type Settings = Partial<CreateFunctionCommandInput>;

/** The real server with a function that minds its own business, beside those that do not. */
export class HostileServer implements AsyncDisposable {
  readonly server: TestServer;
  readonly #enforcement: SandboxEnforcement;
  #neighbourCalls = 0;

  private constructor(server: TestServer, enforcement: SandboxEnforcement) {
    this.server = server;
    this.#enforcement = enforcement;
  }

  /** Owns the server that is given; by default it is in this process. */
  static async open(given?: TestServer): Promise<HostileServer> {
    const server = given ?? (await startTestServer());
    const response = await fetch(`${server.endpoint}/_hearth/health`);
    const { sandbox } = (await response.json()) as { sandbox: { enforcement: SandboxEnforcement } };
    const hostile = new HostileServer(server, sandbox.enforcement);
    await deploy(server.client, NEIGHBOUR, { 'index.js': NEIGHBOUR_CODE }, { Timeout: 10 });
    await hostile.#callNeighbour();
    return hostile;
  }

  get client(): LambdaClient {
    return this.server.client;
  }

  get endpoint(): string {
    return this.server.endpoint;
  }

  get dataDir(): string {
    return this.server.dataDir;
  }

  /** Skips the test, with the reason, where this machine does not enforce what it is about. */
  requires(context: TestContext, ...properties: (keyof SandboxEnforcement)[]): void {
    for (const property of properties) {
      context.skip(!this.#enforcement[property], `${property} is not enforced here`);
    }
  }

  requiresPython(context: TestContext): void {
    context.skip(python === undefined, 'there is no Python');
  }

  async deployNode(name: string, source: string, settings: Settings = {}): Promise<void> {
    await deploy(this.client, name, { 'index.js': source }, { Timeout: 20, ...settings });
  }

  async deployPython(name: string, source: string, settings: Settings = {}): Promise<void> {
    await this.deployFiles(
      name,
      { 'app.py': source },
      { Runtime: 'python3.12', Handler: 'app.handler', ...settings },
    );
  }

  async deployFiles(name: string, files: Sources, settings: Settings = {}): Promise<void> {
    await deploy(this.client, name, files, { Timeout: 20, ...settings });
  }

  /**
   * What `hostile` gives. Meanwhile, and afterwards, the neighbour is called again and again: it must
   * answer each time, within its timeout, out of the same process.
   */
  async besideNeighbour<T>(hostile: Promise<T>): Promise<T> {
    const state = { settled: false };
    const watched = hostile.finally(() => {
      state.settled = true;
    });
    // A neighbour that fails is told first.
    watched.catch(() => {});
    while (!state.settled) await this.#callNeighbour();
    await this.#callNeighbour();
    return await watched;
  }

  async #callNeighbour(): Promise<void> {
    const { result } = await invoke(this.client, NEIGHBOUR);
    this.#neighbourCalls += 1;
    if (result === this.#neighbourCalls) return;
    const expected = this.#neighbourCalls;
    // Tests that follow are not about this one's failure.
    this.#neighbourCalls = typeof result === 'number' ? result : 0;
    throw new Error(`The neighbour must answer ${expected}: received ${JSON.stringify(result)}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
  }
}

/** For functions in Node.js: `mark(name)` makes the process known to the host as `name`. */
export const MARK_JS = `
const mark = (name) => require('node:fs').writeFileSync('/proc/self/comm', name);
`;

/** The same in Python. */
export const MARK_PY = `
def mark(name):
    with open("/proc/self/comm", "w") as comm:
        comm.write(name)
`;

/** The user on the host, of one environment alone, that a marked process has. */
export async function userOf(name: string): Promise<number> {
  for (const status of await processes()) {
    if (status.name === name) return status.uid;
  }
  throw new Error(`no process is called ${name}`);
}

/** Process ids on the host of a user, without those that only wait to be buried. */
export async function processesOfUser(uid: number): Promise<number[]> {
  return (await processes())
    .filter((status) => status.uid === uid && !status.isDead)
    .map(({ id }) => id);
}

interface Status {
  readonly id: number;
  readonly name: string;
  readonly uid: number;
  readonly isDead: boolean;
}

async function processes(): Promise<Status[]> {
  const ids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  return await Promise.all(
    ids.map(async (id) => {
      // Those that have ended meanwhile are nobody's.
      const status = await readFile(`/proc/${id}/status`, 'latin1').catch(() => '');
      const field = (name: string): string =>
        new RegExp(`^${name}:\\t(\\S+)`, 'm').exec(status)?.[1] ?? '';
      const isDead = /^[ZX]/.test(field('State'));
      return { id, name: field('Name'), uid: Number(field('Uid') || -1), isDead };
    }),
  );
}
