/** A plugin whose data is no object. */
export default { module: "data", functions: {} };

/** Gives a number. */
export function createData(): number {
  return 3;
}
