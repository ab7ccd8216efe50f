package example;

import java.util.List;
import java.util.Map;

public class Order {
  private String customer;
  private int count;
  private double price;
  private boolean gift;
  private List<String> tags;
  private Map<String, Integer> extras;

  public String getCustomer() { return customer; }
  public void setCustomer(String customer) { this.customer = customer; }
  public int getCount() { return count; }
  public void setCount(int count) { this.count = count; }
  public double getPrice() { return price; }
  public void setPrice(double price) { this.price = price; }
  public boolean isGift() { return gift; }
  public void setGift(boolean gift) { this.gift = gift; }
  public List<String> getTags() { return tags; }
  public void setTags(List<String> tags) { this.tags = tags; }
  public Map<String, Integer> getExtras() { return extras; }
  public void setExtras(Map<String, Integer> extras) { this.extras = extras; }
}
