package example;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;

public class Orders implements RequestHandler<Order, Order> {
  @Override
  public Order handleRequest(Order order, Context context) {
    order.setCount(order.getCount() + 1);
    order.setPrice(order.getPrice() * 2);
    order.getTags().add("seen");
    return order;
  }

  public String describe(Order order) {
    return order.getCustomer() + " " + order.getExtras();
  }
}
