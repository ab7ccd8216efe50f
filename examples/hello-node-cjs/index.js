exports.handler = async (event) => {
  const name = event.name ?? 'world';
  return { message: `Hello, ${name}, from Node.js ${process.version}` };
};
