import { describeRuntimeContract } from '../../contract/describe-runtime-contract.ts';
import { describePythons } from './python-under-test.ts';

const FUNCTIONS = `
import base64, logging, os, subprocess
count = 0

def context(event, context):
    return {
        "event": event,
        "requestId": context.aws_request_id,
        "functionName": context.function_name,
        "functionVersion": context.function_version,
        "invokedFunctionArn": context.invoked_function_arn,
        "memoryLimitInMB": context.memory_limit_in_mb,
        "logGroupName": context.log_group_name,
        "logStreamName": context.log_stream_name,
        "remainingMs": context.get_remaining_time_in_millis(),
        "custom": context.client_context and context.client_context.custom,
        "cognitoIdentityId": context.identity.cognito_identity_id,
    }

def counter(event, context):
    global count
    count += 1
    return count

def throws(event, context):
    raise Exception(event["message"])

def logs(event, context):
    logging.getLogger().warning(event["message"])

def environment(event, context):
    return dict(os.environ)

def large(event, context):
    return "x" * event["length"]

def unserialisable(event, context):
    return object()

def exits(event, context):
    os._exit(event["status"])

def forges(event, context):
    os.write(3, base64.b64decode(event["base64"]))

def spawns(event, context):
    return subprocess.run(
        ["/bin/ls", "-l", "/proc/self/fd"], close_fds=False, stdout=subprocess.PIPE, text=True
    ).stdout
`;

describePythons(({ version, command }) => {
  describeRuntimeContract({
    name: `Python ${version}`,
    // Older runtimes escape what is not ASCII, by which an answer of the suite exceeds the limit.
    runtime: 'python3.13',
    command,
    files: { 'app.py': FUNCTIONS, 'broken.py': 'raise Exception("broken at load")' },
    handlers: {
      context: 'app.context',
      counter: 'app.counter',
      throws: 'app.throws',
      logs: 'app.logs',
      environment: 'app.environment',
      large: 'app.large',
      unserialisable: 'app.unserialisable',
      exits: 'app.exits',
      forges: 'app.forges',
      spawns: 'app.spawns',
      failsAtLoad: 'broken.handler',
      missingModule: 'missing.handler',
      missingHandler: 'app.missing',
    },
    errorKeys: ['errorMessage', 'errorType', 'requestId', 'stackTrace'],
    plainErrorType: 'Exception',
  });
});
