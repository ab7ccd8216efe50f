package example;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import java.lang.management.ManagementFactory;
import java.util.LinkedHashMap;
import java.util.Map;

/** Tells what it is given. */
public class About implements RequestHandler<Object, Map<String, Object>> {
  @Override
  public Map<String, Object> handleRequest(Object event, Context context) {
    Map<String, Object> about = new LinkedHashMap<>();
    about.put("requestId", context.getAwsRequestId());
    about.put("functionName", context.getFunctionName());
    about.put("functionVersion", context.getFunctionVersion());
    about.put("arn", context.getInvokedFunctionArn());
    about.put("memory", context.getMemoryLimitInMB());
    about.put("logGroup", context.getLogGroupName());
    about.put("logStream", context.getLogStreamName());
    about.put("hasTime", context.getRemainingTimeInMillis() > 1_000);
    about.put("client", context.getClientContext() == null ? null : context.getClientContext().getCustom());
    about.put("identity", context.getIdentity() == null ? null : context.getIdentity().getIdentityId());
    about.put("trace", System.getProperty("com.amazonaws.xray.traceHeader"));
    about.put("environment", System.getenv());
    about.put("directory", System.getProperty("user.dir"));
    about.put("java", System.getProperty("java.specification.version"));
    about.put("zone", java.time.ZoneId.systemDefault().getId());
    about.put("charset", java.nio.charset.Charset.defaultCharset().name());
    about.put("maxHeap", Runtime.getRuntime().maxMemory());
    about.put("arguments", ManagementFactory.getRuntimeMXBean().getInputArguments());
    return about;
  }
}
