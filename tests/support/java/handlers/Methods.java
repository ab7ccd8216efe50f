package example;

import com.amazonaws.services.lambda.runtime.Context;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

public class Methods {
  private static int calls = 0;

  public String text(String name) { return "hello " + name; }

  public int length(List<Integer> numbers, Context context) { return numbers.size(); }

  public Map<String, Object> map(Map<String, Object> event) { return new TreeMap<>(event); }

  public void nothing(Object event) {}

  public String onlyContext(Context context) { return context.getFunctionName(); }

  public int count() { return ++calls; }

  public void copy(InputStream input, OutputStream output) throws IOException {
    input.transferTo(output);
  }

  public String grow(int bytes) { return "a".repeat(bytes); }
}
