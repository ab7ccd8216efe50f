import { greet } from './greet.ts';

interface GreetingEvent {
  readonly name?: string;
}

export const handler = async (event: GreetingEvent): Promise<{ message: string }> => {
  return { message: greet(event.name ?? 'world') };
};
