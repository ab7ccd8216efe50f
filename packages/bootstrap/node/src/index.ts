import { Bootstrap } from './bootstrap.ts';
import { Channel } from './channel.ts';
import { KEEP_ENVIRONMENT } from './environment.ts';
import { prepare } from './prepare.ts';

const EXIT_LEFT_ALONE = 1;
const channelFd = Number(process.env['_HEARTH_CHANNEL_FD']);
const logFd = Number(process.env['_LAMBDA_TELEMETRY_LOG_FD']);
if (!Number.isInteger(channelFd) || !Number.isInteger(logFd)) {
  process.stderr.write(
    'Cannot start the Node.js bootstrap as _HEARTH_CHANNEL_FD and _LAMBDA_TELEMETRY_LOG_FD must be ' +
      'file descriptors: hearth starts it\n',
  );
  process.exitCode = 2;
} else if (process.env['_HEARTH_PREPARE'] === '1' && !isWrapped()) {
  void prepare().then(start);
} else {
  start();
}

/** What a wrapper has put into the environment must not be rehearsed with. */
function isWrapped(): boolean {
  return process.env[KEEP_ENVIRONMENT] !== undefined;
}

function start(): void {
  new Bootstrap((onFrame) => Channel.open(channelFd, onFrame, leave), logFd).start();
}

/** Without `exit` listeners of the function, which on AWS Lambda do not run either. */
function leave(): void {
  process.kill(process.pid, 'SIGKILL');
  // Still here: the first process of a PID namespace cannot kill itself.
  process.exit(EXIT_LEFT_ALONE);
}
