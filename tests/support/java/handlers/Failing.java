package example;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import java.util.ArrayList;
import java.util.List;

public class Failing implements RequestHandler<String, String> {
  private static int calls = 0;

  @Override
  public String handleRequest(String how, Context context) {
    calls += 1;
    switch (how) {
      case "throw":
        throw new IllegalStateException("no é", new java.io.IOException("disk"));
      case "own":
        throw new Own();
      case "recurse":
        return handleRequest(how, context);
      case "exit":
        System.exit(7);
        return "";
      case "memory":
        List<byte[]> kept = new ArrayList<>();
        while (true) kept.add(new byte[1 << 20]);
      case "sleep":
        while (true) Thread.onSpinWait();
      default:
        return "call " + calls;
    }
  }

  public static class Own extends RuntimeException {}
}
