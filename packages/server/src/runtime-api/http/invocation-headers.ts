import type { RuntimeEvent } from '../runtime-session.ts';

const CONTROL_CHARACTERS = /\p{Cc}/gu;

/** The headers of an event, those without a value left out. */
export function invocationHeaders(
  event: RuntimeEvent,
  invocationId: string,
): Record<string, string | number> {
  const headers: Record<string, string | number> = {
    'Content-Type': 'application/json',
    'Content-Length': event.payload.length,
    'Lambda-Runtime-Aws-Request-Id': event.requestId,
    'Lambda-Runtime-Deadline-Ms': event.deadlineMs,
    'Lambda-Runtime-Invoked-Function-Arn': headerText(event.invokedFunctionArn),
    'Lambda-Runtime-Invocation-Id': invocationId,
  };
  const { traceId, clientContext, cognitoIdentity, tenantId } = event;
  if (traceId) headers['Lambda-Runtime-Trace-Id'] = headerText(traceId);
  if (clientContext) headers['Lambda-Runtime-Client-Context'] = headerText(clientContext);
  if (cognitoIdentity) headers['Lambda-Runtime-Cognito-Identity'] = headerText(cognitoIdentity);
  if (tenantId) headers['Lambda-Runtime-Aws-Tenant-Id'] = headerText(tenantId);
  return headers;
}

/**
 * Text as a header carries it: on one line, in UTF-8. Node.js writes a header's characters as single
 * bytes, so each byte becomes one.
 */
function headerText(text: string): string {
  return Buffer.from(text.replace(CONTROL_CHARACTERS, ' ')).toString('latin1');
}
