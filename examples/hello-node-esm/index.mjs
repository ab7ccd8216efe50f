// A module may wait at its top level; what it loads there is kept for every later event.
const greeting = await Promise.resolve('Hello');

export const handler = async (event) => {
  const name = event.name ?? 'world';
  return { message: `${greeting}, ${name}, from an ES module` };
};
