package example;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;

public class Printing implements RequestHandler<Object, String> {
  static {
    System.out.println("while loading");
  }

  @Override
  public String handleRequest(Object event, Context context) {
    context.getLogger().log("one event\nof two lines");
    System.out.println("standard output");
    System.err.println("standard error é");
    return "printed";
  }
}
