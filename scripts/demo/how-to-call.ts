import pc from 'picocolors';

/** Commands to copy from the terminal: the AWS CLI, an SDK, and Hearth's own CLI. */
export function howToCall(endpoint: string, region: string): string {
  return `${pc.bold('With the AWS CLI')}
export AWS_ENDPOINT_URL=${endpoint} AWS_DEFAULT_REGION=${region}
export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test
aws lambda list-functions --query 'Functions[].FunctionName'
aws lambda invoke --function-name counter /dev/stdout
echo '{"name":"Grace"}' | aws lambda invoke --function-name hello-node-esm \\
  --payload fileb:///dev/stdin /dev/stdout

${pc.bold('With an AWS SDK')}
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
const client = new LambdaClient({
  endpoint: '${endpoint}',
  region: '${region}',
  credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
});
const { Payload } = await client.send(new InvokeCommand({
  FunctionName: 'hello-node-esm',
  Payload: '{"name":"Grace"}',
}));
console.log(Payload.transformToString());

${pc.bold("With Hearth's own CLI")}
${elsewhere(endpoint)}npm run -s hearth -- functions list
npm run -s hearth -- invoke hello-node-esm -e '{"name":"Grace"}' --tail
npm run -s hearth -- logs context-node`;
}

/** The CLI looks for the server at its usual address. */
function elsewhere(endpoint: string): string {
  return endpoint === 'http://127.0.0.1:4566' ? '' : `export HEARTH_ENDPOINT=${endpoint}\n`;
}
