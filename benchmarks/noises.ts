/** A function that exhausts something for as long as its timeout lets it. */
export interface Noise {
  readonly name: string;
  readonly what: string;
  readonly source: string;
}

const HEAD = `
const fs = require('node:fs');
const { spawn } = require('node:child_process');
const forever = () => new Promise(() => setInterval(() => {}, 1000));
const handle = (run) => { exports.handler = async () => { await run(); await forever(); }; };
`;

function noise(name: string, what: string, run: string): Noise {
  return { name, what, source: `${HEAD}handle(${run});\n` };
}

export const NOISES: readonly Noise[] = [
  noise(
    'forks',
    'D36, a fork bomb',
    `() => {
      const again = () => spawn('/bin/sh', ['-c', 'f() { f | f & f; }; f'], { stdio: 'ignore' })
        .on('error', () => {}).on('exit', again);
      again();
    }`,
  ),
  noise(
    'memory',
    'D37, memory until it is killed',
    `() => { const kept = []; for (;;) kept.push(Buffer.alloc(8e6, 1)); }`,
  ),
  noise(
    'disk',
    'D38, /tmp filled and emptied',
    `() => {
      const part = Buffer.alloc(1048576, 1);
      for (;;) {
        const file = fs.openSync('/tmp/fill', 'w');
        try { for (;;) fs.writeSync(file, part); } catch {}
        fs.closeSync(file);
      }
    }`,
  ),
  noise(
    'descriptors',
    'D40, descriptors opened and closed',
    `() => {
      for (;;) {
        const opened = [];
        try { for (;;) opened.push(fs.openSync('/dev/null')); } catch {}
        for (const file of opened) fs.closeSync(file);
      }
    }`,
  ),
  noise(
    'cpu',
    'D41, eight processes that spin',
    `() => {
      for (let i = 0; i < 8; i += 1) spawn('/bin/sh', ['-c', 'while :; do :; done'], { stdio: 'ignore' });
    }`,
  ),
  noise(
    'long-lines',
    'D42, a line without end',
    `() => {
      const part = Buffer.alloc(1048576, 'x');
      for (;;) fs.writeSync(1, part);
    }`,
  ),
  noise(
    'short-lines',
    'D42, empty lines',
    `() => {
      const part = Buffer.alloc(1048576, '\\n');
      for (;;) fs.writeSync(1, part);
    }`,
  ),
  noise(
    'orphans',
    'D43, processes that are left behind, with each exit',
    `() => {
      for (let i = 0; i < 20; i += 1) {
        spawn('/bin/sh', ['-c', 'trap "" TERM; while :; do sleep 1; done'], { detached: true, stdio: 'ignore' });
      }
      process.exit(1);
    }`,
  ),
  noise(
    'sockets',
    'D45, connections to itself and to the server',
    `async () => {
      const net = require('node:net');
      const server = net.createServer().listen(0);
      await require('node:events').once(server, 'listening');
      const { port } = server.address();
      const to = new URL(process.env.AWS_ENDPOINT_URL);
      const open = (options) => net.connect(options).on('error', () => {}).on('close', () => open(options));
      for (let i = 0; i < 200; i += 1) {
        open({ port });
        open({ host: to.hostname, port: Number(to.port) });
      }
    }`,
  ),
];
