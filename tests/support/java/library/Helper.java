package library;

public class Helper {
  @Override
  public String toString() { return "of the library"; }
}
