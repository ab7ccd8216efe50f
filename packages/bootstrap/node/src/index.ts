import { Bootstrap } from './bootstrap.ts';

const channelFd = Number(process.env['_HEARTH_CHANNEL_FD']);
const logFd = Number(process.env['_LAMBDA_TELEMETRY_LOG_FD']);
if (Number.isInteger(channelFd) && Number.isInteger(logFd)) {
  new Bootstrap(channelFd, logFd).start();
} else {
  process.stderr.write(
    'Cannot start the Node.js bootstrap as _HEARTH_CHANNEL_FD and _LAMBDA_TELEMETRY_LOG_FD must be ' +
      'file descriptors: hearth starts it\n',
  );
  process.exitCode = 2;
}
