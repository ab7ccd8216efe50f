import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import type { ThreadNetwork } from './thread-network.ts';

const TIMEOUT_MS = 10_000;

/** Rules of the kernel's packet filter, through the program nft. */
export class PacketFilter {
  readonly #program: string;
  readonly #thread: ThreadNetwork;

  /** @param program absolute */
  constructor(program: string, thread: ThreadNetwork) {
    this.#program = program;
    this.#thread = thread;
  }

  /**
   * Does all of `commands`, in nft's language, or none of it. Rejects with what nft says.
   *
   * @param namespace where; absent for the server's own
   */
  async apply(commands: string, namespace?: number): Promise<void> {
    await this.#run(['-f', '-'], commands, namespace);
  }

  /** Takes a table of the server's own namespace away, also where there is none. */
  async removeTable(table: string): Promise<void> {
    // Deleting what is not there is an error, adding what is there is none.
    await this.apply(`add table inet ${table}\ndelete table inet ${table}\n`);
  }

  /** Chains of others that drop what is passed on unless a rule of theirs lets it pass. */
  async chainsThatDrop(): Promise<string[]> {
    return parseDroppingChains(await this.#run(['list', 'chains'], ''));
  }

  async #run(parameters: readonly string[], input: string, namespace?: number): Promise<string> {
    const start = () =>
      spawn(this.#program, parameters, {
        cwd: '/',
        env: {},
        stdio: 'pipe',
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
    const child = namespace === undefined ? start() : this.#thread.inside(namespace, start);
    const exited = new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    // It may end before it has read everything.
    child.stdin.on('error', () => {});
    child.stdin.end(input);
    const [code, printed, complaint] = await Promise.all([
      exited,
      text(child.stdout),
      text(child.stderr),
    ]);
    if (code !== 0) throw new Error(`nft refuses: ${firstLine(complaint)}`);
    return printed;
  }
}

/**
 * `ip filter FORWARD` and the like: base chains for forwarding whose policy is to drop.
 *
 * @param listing what `nft list chains` prints
 */
export function parseDroppingChains(listing: string): string[] {
  let table = '';
  let chain = '';
  return listing.split('\n').flatMap((line) => {
    table = /^table (\S+ \S+) \{/.exec(line)?.[1] ?? table;
    chain = /^\s+chain (\S+) \{/.exec(line)?.[1] ?? chain;
    return /^\s+type filter hook forward .*policy drop;/.test(line) ? [`${table} ${chain}`] : [];
  });
}

function firstLine(printed: string): string {
  const line = printed.trim().split('\n')[0] ?? '';
  return line.replace(/^\S*:\d+:[\d-]+:\s*/, '') || 'no reason is given';
}
