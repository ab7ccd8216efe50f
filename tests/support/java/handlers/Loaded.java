package example;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;

/** Tells where classes came from, of a Java with -Xlog:class+load:file=/tmp/load.txt. */
public class Loaded {
  public Map<String, Long> count() throws java.io.IOException {
    Map<String, Long> counts = new java.util.TreeMap<>();
    for (String line : Files.readAllLines(Path.of("/tmp/load.txt"))) {
      if (!line.contains("source: ")) continue;
      counts.merge(line.replaceAll(".*source: (file:|jrt:)?([^/]*).*", "$2"), 1L, Long::sum);
    }
    return counts;
  }
}
