package layered;

public class Greeting {
  @Override
  public String toString() { return "of the layer"; }
}
