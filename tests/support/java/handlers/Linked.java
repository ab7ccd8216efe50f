package example;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import java.util.List;

/** Needs classes that come in other jars, by name, so that it compiles without them. */
public class Linked implements RequestHandler<List<String>, List<String>> {
  @Override
  public List<String> handleRequest(List<String> names, Context context) {
    names.replaceAll(Linked::describe);
    return names;
  }

  private static String describe(String name) {
    try {
      return Class.forName(name).getDeclaredConstructor().newInstance().toString();
    } catch (ReflectiveOperationException error) {
      return error.toString();
    }
  }
}
