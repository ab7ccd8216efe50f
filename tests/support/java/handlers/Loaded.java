package example;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;

/** Tells where classes came from, of a Java with -Xlog:class+load:file=/tmp/hearth-java-load-%p.txt. */
public class Loaded {
  public Map<String, Long> count() throws IOException {
    Path log = Path.of("/tmp/hearth-java-load-" + ProcessHandle.current().pid() + ".txt");
    Map<String, Long> counts = new TreeMap<>();
    for (String line : Files.readAllLines(log)) {
      String source = line.replaceAll(".* source: ", "");
      if (source.startsWith("file:")) source = "jars";
      counts.merge(source, 1L, Long::sum);
    }
    Files.delete(log);
    return counts;
  }
}
