import { execFile } from 'node:child_process';
import {
  chmod,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  realpath,
  rm,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { CreateFunctionCommandInput } from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { invoke, invokeWithLog } from '../support/function.ts';
import { printed } from '../support/function-log.ts';
import { HostileServer } from '../support/hostile-server.ts';

const run = promisify(execFile);

/** Leaves a line in the sandbox and, were it to run outside, a file on the host. */
const LIBRARY_C = `
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
__attribute__((constructor)) static void loaded(void) {
  char space[64] = "";
  ssize_t length = readlink("/proc/self/ns/pid", space, sizeof space - 1);
  (void)length;
  FILE *evidence = fopen("/tmp/evidence", "a");
  if (evidence != NULL) {
    fprintf(evidence, "library %d %s\\n", (int)getuid(), space);
    fclose(evidence);
  }
  char path[4096];
  snprintf(path, sizeof path, "%s/library", getenv("HOST_FOLDER") ? getenv("HOST_FOLDER") : "/none");
  close(open(path, O_WRONLY | O_CREAT, 0666));
}
`;
const shellEvidence = (name: string): string =>
  `echo "${name} $(id -u) $(readlink /proc/self/ns/pid)" >> /tmp/evidence; touch "$HOST_FOLDER/${name}" 2> /dev/null || true`;
const HOOK_JS = `
const fs = require('node:fs');
fs.appendFileSync('/tmp/evidence', 'hook ' + process.getuid() + ' ' + fs.readlinkSync('/proc/self/ns/pid') + '\\n');
try { fs.writeFileSync(process.env.HOST_FOLDER + '/hook', ''); } catch {}
`;
const STARTUP_PY = `
import os
with open("/tmp/evidence", "a") as evidence:
    print("startup", os.getuid(), os.readlink("/proc/self/ns/pid"), file=evidence)
try:
    open(os.environ["HOST_FOLDER"] + "/startup", "w").close()
except OSError:
    pass
`;
const HANDLER_JS = `
const fs = require('node:fs');
const { execFileSync } = require('node:child_process');
exports.handler = async ({ shell, hold }) => {
  // With a socket as its input bash would take itself for a login over the network.
  if (shell) execFileSync('/bin/bash', ['-c', 'true'], { stdio: 'ignore' });
  if (hold) {
    console.log('it runs');
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
  return {
    evidence: fs.readFileSync('/tmp/evidence', 'utf8').trim().split('\\n'),
    uid: process.getuid(),
    space: fs.readlinkSync('/proc/self/ns/pid'),
  };
};`;
const HANDLER_PY = `
import os, subprocess, sys, time
def handler(event, context):
    if event.get("interactive"):
        subprocess.run([sys.executable, "-i", "-q"], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if event.get("hold"):
        print("it runs", flush=True)
        time.sleep(1)
    with open("/tmp/evidence") as evidence:
        lines = evidence.read().strip().split("\\n")
    return {"evidence": lines, "uid": os.getuid(), "space": os.readlink("/proc/self/ns/pid")}
`;

interface Way {
  readonly variable: string;
  readonly value: string;
  /** First word of the lines that it leaves, and the file on the host that it must not leave. */
  readonly kind: string;
  readonly files: Readonly<Record<string, string>>;
  readonly settings?: Partial<CreateFunctionCommandInput>;
  readonly event?: object;
}

const WAYS: readonly Way[] = [
  {
    variable: 'LD_PRELOAD',
    value: '/var/task/evidence.so',
    kind: 'library',
    files: { 'index.js': HANDLER_JS },
  },
  {
    variable: 'NODE_OPTIONS',
    value: '--require /var/task/hook.js',
    kind: 'hook',
    files: { 'index.js': HANDLER_JS, 'hook.js': HOOK_JS },
  },
  {
    variable: 'BASH_ENV',
    value: '/var/task/bash.sh',
    kind: 'bash',
    files: { 'index.js': HANDLER_JS, 'bash.sh': shellEvidence('bash') },
    event: { shell: true },
  },
  {
    variable: 'PYTHONSTARTUP',
    value: '/var/task/startup.py',
    kind: 'startup',
    files: { 'app.py': HANDLER_PY, 'startup.py': STARTUP_PY },
    settings: { Runtime: 'python3.12', Handler: 'app.handler' },
    event: { interactive: true },
  },
  {
    variable: 'AWS_LAMBDA_EXEC_WRAPPER',
    value: '/var/task/wrapper.sh',
    kind: 'wrapper',
    files: {
      'index.js': HANDLER_JS,
      'wrapper.sh': `#!/bin/sh\n${shellEvidence('wrapper')}\nexec "$@"\n`,
    },
  },
];

interface Evidence {
  readonly evidence: readonly string[];
  readonly uid: number;
  readonly space: string;
}

describe('B. Configuration, inside the sandbox', () => {
  let hostile: HostileServer;
  let folder: string;
  let hostSpace: string;
  beforeAll(async () => {
    hostile = await HostileServer.open();
    folder = await realpath(await mkdtemp(join(tmpdir(), 'hearth-host-')));
    await chmod(folder, 0o777);
    hostSpace = await readlink('/proc/self/ns/pid');
  });
  afterAll(async () => {
    await hostile[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });

  /** Processes of the host's own PID namespace that have the function's variables. */
  async function outside(mark: string): Promise<string[]> {
    const found: string[] = [];
    for (const id of (await readdir('/proc')).filter((each) => /^\d+$/.test(each))) {
      const variables = await readFile(`/proc/${id}/environ`, 'latin1').catch(() => '');
      const space = await readlink(`/proc/${id}/ns/pid`).catch(() => '');
      if (variables.includes(`HOST_MARK=${mark}`) && space === hostSpace) found.push(id);
    }
    return found;
  }

  test.for(WAYS)('B15 $variable acts only inside the sandbox', async (way, context) => {
    hostile.requires(context, 'processIsolation', 'filesystem');
    const { kind, event = {}, settings = {} } = way;
    if (settings.Runtime !== undefined) hostile.requiresPython(context);
    const files: Record<string, string | Buffer> = { ...way.files };
    let value = way.value;
    if (kind === 'library') {
      const built = await buildLibrary(folder);
      context.skip(built === undefined, 'there is no C compiler');
      if (built !== undefined) files['evidence.so'] = built;
      // Were anything of the host started with it, it would find the library there, too.
      value += `:${join(folder, 'evidence.so')}`;
    }
    const mark = `${kind}-${process.pid}`;
    const Variables = { [way.variable]: value, HOST_FOLDER: folder, HOST_MARK: mark };
    await hostile.deployFiles(mark, files, { ...settings, Environment: { Variables } });
    const running = invoke(hostile.client, mark, { ...event, hold: true });
    await printed(hostile.endpoint, mark, 'it runs');
    expect(await outside(mark)).toEqual([]);
    const answer = await hostile.besideNeighbour(running);
    expect([answer.functionError, answer.result]).toEqual([undefined, expect.anything()]);
    const { evidence, uid, space } = answer.result as Evidence;
    expect(space).not.toBe(hostSpace);
    expect(uid).not.toBe(0);
    // It acted, in the function's own processes.
    expect(evidence.length).toBeGreaterThan(0);
    for (const line of evidence) expect(line).toBe(`${kind} ${uid} ${space}`);
    expect(await readdir(folder)).not.toContain(kind);
  });

  test.for([
    ['../../etc/passwd', 'Runtime.MalformedHandlerName', 'is not a valid handler name'],
    ['../../etc/passwd.handler', 'Runtime.MalformedHandlerName', 'is not a valid handler name'],
    ['/etc/passwd', 'Runtime.MalformedHandlerName', 'Bad handler'],
    ['/etc/passwd.handler', 'Runtime.UserCodeSyntaxError', 'SyntaxError: '],
    ['/etc/shadow.handler', 'Runtime.ImportModuleError', "Cannot find module 'shadow'"],
    ['$(id).handler', 'Runtime.ImportModuleError', "Cannot find module '$(id)'"],
    ['index.__proto__.x', 'Runtime.HandlerNotFound', 'is undefined or not exported'],
  ])(
    'B18 the handler %s of Node.js is an error of init',
    async ([Handler = '', type, text = '']) => {
      const name = `node-${Buffer.from(Handler).toString('hex').slice(-40)}`;
      await hostile.deployNode(name, 'exports.handler = async () => 1;', { Handler });
      const answer = await hostile.besideNeighbour(invokeWithLog(hostile.client, name));
      expect(answer.functionError).toBe('Unhandled');
      expect(answer.result).toMatchObject({
        errorType: type,
        errorMessage: expect.stringContaining(text),
      });
      expect(answer.log.join('\n')).toContain(`Phase: invoke\tStatus: error\tError Type: ${type}`);
    },
  );

  test.for([
    // A type of the language's own stands as unknown in the log.
    ['../../etc/passwd', 'TypeError', 'relative import'],
    ['/etc/passwd', 'Runtime.MalformedHandlerName', "Bad handler '/etc/passwd'"],
    ['../../etc/passwd.handler', 'TypeError', 'relative import'],
    ['/etc/hosts.handler', 'TypeError', 'relative import'],
    ['$(id).handler', 'Runtime.ImportModuleError', "Unable to import module '$(id)'"],
  ])(
    'B18 the handler %s of Python is an error of init',
    async ([Handler = '', type, text = ''], context) => {
      hostile.requiresPython(context);
      const logged = type === 'TypeError' ? 'Runtime.Unknown' : type;
      const name = `py-${Buffer.from(Handler).toString('hex').slice(-40)}`;
      await hostile.deployPython(name, 'def handler(event, context): return 1', { Handler });
      const answer = await hostile.besideNeighbour(invokeWithLog(hostile.client, name));
      expect(answer.functionError).toBe('Unhandled');
      expect(answer.result).toMatchObject({
        errorType: type,
        errorMessage: expect.stringContaining(text),
      });
      expect(answer.log.join('\n')).toContain(
        `Phase: invoke\tStatus: error\tError Type: ${logged}`,
      );
    },
  );
});

/** Undefined where there is no compiler. */
async function buildLibrary(folder: string): Promise<Buffer | undefined> {
  const source = join(folder, 'evidence.c');
  const output = join(folder, 'evidence.so');
  await writeFile(source, LIBRARY_C);
  try {
    await run('cc', ['-shared', '-fPIC', '-o', output, source]);
  } catch {
    return undefined;
  }
  return await readFile(output);
}
