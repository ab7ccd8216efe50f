import { rmSync } from 'node:fs';
import { afterAll } from 'vitest';
import { describeRuntimeContract } from '../../contract/describe-runtime-contract.ts';
import { buildForTest, findNodes } from './node-under-test.ts';

const { directory, file } = buildForTest();
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const FUNCTIONS = `
const { execFileSync } = require('node:child_process');
const { writeSync } = require('node:fs');
let count = 0;
exports.context = async (event, context) => ({
  event,
  requestId: context.awsRequestId,
  functionName: context.functionName,
  functionVersion: context.functionVersion,
  invokedFunctionArn: context.invokedFunctionArn,
  memoryLimitInMB: context.memoryLimitInMB,
  logGroupName: context.logGroupName,
  logStreamName: context.logStreamName,
  remainingMs: context.getRemainingTimeInMillis(),
  custom: context.clientContext?.custom ?? null,
  cognitoIdentityId: context.identity?.cognitoIdentityId ?? null,
});
exports.counter = async () => ++count;
exports.throws = async (event) => { throw new Error(event.message); };
exports.logs = async (event) => { console.log(event.message); };
exports.environment = async () => ({ ...process.env });
exports.large = async (event) => 'x'.repeat(event.length);
exports.unserialisable = async () => 1n;
exports.exits = async (event) => process.exit(event.status);
exports.forges = async (event) => { writeSync(3, Buffer.from(event.base64, 'base64')); };
exports.spawns = async () => execFileSync('/bin/ls', ['-l', '/proc/self/fd'], { encoding: 'utf8' });
`;

/** As processes for one function, and as a worker that has rehearsed before it has one. */
const STARTS = [
  { runtime: 'nodejs22.x', how: '', environment: {} },
  { runtime: 'nodejs24.x', how: '', environment: {} },
  { runtime: 'nodejs24.x', how: ', prepared', environment: { _HEARTH_PREPARE: '1' } },
];

const subjects = findNodes(file).flatMap(({ version, command }) =>
  STARTS.map(({ runtime, how, environment }) => ({
    name: `Node.js ${version} as ${runtime}${how}`,
    runtime,
    command: { ...command, environment },
  })),
);

for (const subject of subjects) {
  describeRuntimeContract({
    ...subject,
    files: { 'index.js': FUNCTIONS, 'broken.js': "throw new Error('broken at load');" },
    handlers: {
      context: 'index.context',
      counter: 'index.counter',
      throws: 'index.throws',
      logs: 'index.logs',
      environment: 'index.environment',
      large: 'index.large',
      unserialisable: 'index.unserialisable',
      exits: 'index.exits',
      forges: 'index.forges',
      spawns: 'index.spawns',
      failsAtLoad: 'broken.handler',
      missingModule: 'missing.handler',
      missingHandler: 'index.missing',
    },
    errorKeys: ['errorType', 'errorMessage', 'trace'],
    plainErrorType: 'Error',
  });
}
