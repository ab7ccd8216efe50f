package example;

public class BrokenConstructor {
  public BrokenConstructor() { throw new IllegalArgumentException("not today"); }

  public String handle() { return ""; }
}
