/** A plugin that cannot make its data. */
export default { module: "data", functions: {} };

/** Fails. */
export function createData(): never {
  throw new Error("no data today");
}
