package example;

public class BrokenStatic {
  static final int VALUE = Integer.parseInt("no number");

  public String handle() { return "" + VALUE; }
}
