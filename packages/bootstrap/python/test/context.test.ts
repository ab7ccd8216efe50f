import { describe, expect, test } from 'vitest';
import { answerOf, errorOf, objectOf } from '../../contract/answers.ts';
import { describePythons } from './python-under-test.ts';
import { PythonFunctions } from './serve-module.ts';

describePythons((python) => {
  const functions = new PythonFunctions(python);

  test('the context has the attributes of AWS, and nothing where the caller sent nothing', async () => {
    const result = await functions.evaluate(
      'dict({name: getattr(context, name) for name in NAMES},' +
        ' identity=[context.identity.cognito_identity_id, context.identity.cognito_identity_pool_id])',
      {
        imports: `NAMES = """aws_request_id log_group_name log_stream_name function_name memory_limit_in_mb
function_version invoked_function_arn client_context tenant_id""".split()`,
      },
    );
    expect(objectOf(result)).toEqual({
      aws_request_id: '6bc28136-xmpl-4365-b021-0ce6b2e64ab0',
      log_group_name: '/aws/lambda/contract',
      log_stream_name: '2026/01/01/[$LATEST]0123456789abcdef0123456789abcdef',
      function_name: 'contract',
      memory_limit_in_mb: '256',
      function_version: '$LATEST',
      invoked_function_arn: 'arn:aws:lambda:us-east-1:000000000000:function:contract',
      client_context: null,
      tenant_id: null,
      identity: [null, null],
    });
  });

  describe('client context and identity', () => {
    test('are objects with attributes', async () => {
      const result = await functions.evaluate(
        '[context.client_context.custom, context.client_context.env, context.client_context.client.app_title,' +
          ' context.client_context.client.installation_id, context.identity.cognito_identity_id,' +
          ' context.identity.cognito_identity_pool_id]',
        {
          overrides: {
            clientContext: '{"custom":{"a":[1]},"env":{"locale":"de"},"client":{"app_title":"é"}}',
            cognitoIdentity: '{"cognitoIdentityId":"id","cognitoIdentityPoolId":"pool"}',
          },
        },
      );
      expect(answerOf(result)).toEqual([{ a: [1] }, { locale: 'de' }, 'é', null, 'id', 'pool']);
    });

    test('without a client the client is None', async () => {
      const result = await functions.evaluate(
        '[context.client_context.client, context.client_context.custom]',
        { overrides: { clientContext: '{"custom":1}' } },
      );
      expect(answerOf(result)).toEqual([null, 1]);
    });

    test.each([
      ['clientContext', 'Client Context'],
      ['cognitoIdentity', 'Cognito Identity'],
    ])('%s that is not JSON is an error of the event', async (field, name) => {
      const result = await functions.evaluate('1', { overrides: { [field]: 'no json' } });
      expect(errorOf(result).body).toEqual({
        errorMessage: `Unable to parse ${name} JSON: Expecting value: line 1 column 1 (char 0)`,
        errorType: 'Runtime.LambdaContextUnmarshalError',
        requestId: '6bc28136-xmpl-4365-b021-0ce6b2e64ab0',
        stackTrace: [],
      });
    });

    test('a client context that is no object is an AttributeError, as on AWS', async () => {
      const result = await functions.evaluate('1', { overrides: { clientContext: '[1]' } });
      expect(errorOf(result).body).toMatchObject({
        errorType: 'AttributeError',
        errorMessage: "'list' object has no attribute 'get'",
      });
    });
  });

  describe('the remaining time', () => {
    test('is a whole number of milliseconds to the deadline', async () => {
      const remaining = answerOf(
        await functions.evaluate('context.get_remaining_time_in_millis()', {
          overrides: { deadlineMs: Date.now() + 30_000 },
        }),
      );
      expect(remaining).toBeGreaterThan(0);
      expect(remaining).toBeLessThanOrEqual(30_000);
      expect(Number.isInteger(remaining)).toBe(true);
    });

    test('is 0 after it', async () => {
      const overrides = { deadlineMs: Date.now() - 5_000 };
      const result = await functions.evaluate('context.get_remaining_time_in_millis()', {
        overrides,
      });
      expect(answerOf(result)).toBe(0);
    });
  });

  test('printing it shows its parts', async () => {
    const text = answerOf(await functions.evaluate('repr(context)'));
    expect(text).toBe(
      'LambdaContext([aws_request_id=6bc28136-xmpl-4365-b021-0ce6b2e64ab0,log_group_name=/aws/lambda/contract,' +
        'log_stream_name=2026/01/01/[$LATEST]0123456789abcdef0123456789abcdef,function_name=contract,' +
        'memory_limit_in_mb=256,function_version=$LATEST,' +
        'invoked_function_arn=arn:aws:lambda:us-east-1:000000000000:function:contract,client_context=None,' +
        'identity=CognitoIdentity([cognito_identity_id=None,cognito_identity_pool_id=None]),tenant_id=None])',
    );
  });
});
